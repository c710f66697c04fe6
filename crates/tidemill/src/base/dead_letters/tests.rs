//! Files of dead letters are read again, those of earlier releases too.

use super::*;
use crate::base::storage::MemoryStorage;
use std::sync::Arc;

fn letter() -> DeadLetter {
    DeadLetter {
        batch_time: Time::from_ms(2_000),
        operator: "try_map at shop.rs:7".into(),
        partition: 1,
        record: 3,
        source: Some("orders.txt".into()),
        offset: Some(3),
        exact: true,
        error: "no number\n  caused by: invalid digit found in string".into(),
        bytes: b"\x03abc".to_vec(),
        record_bytes: 4,
        text: Some("abc".into()),
    }
}

#[test]
fn letters_are_read_as_they_were_stored_and_a_second_try_finds_the_first() -> Result<()> {
    let memory = MemoryStorage::new();
    let storage: StorageRef = Arc::new(memory.clone());
    let name = store(&memory, 7, 1, Time::from_ms(2_000), &[letter()])?;
    assert_eq!(name, "dead-letters/7-2000-1-0");
    assert_eq!(read(&storage, &name)?, [letter()]);
    assert_eq!(store(&memory, 7, 1, Time::from_ms(2_000), &[letter()])?, name);
    assert_eq!(store(&memory, 7, 1, Time::from_ms(2_000), &[])?, "dead-letters/7-2000-1-1");
    Ok(())
}

#[test]
fn the_form_of_version_1_is_still_read() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1/dead-letters");
    if std::env::var_os("TIDEMILL_BLESS").is_some() && !std::path::Path::new(path).exists() {
        std::fs::write(path, FORM.close(&postcard::to_stdvec(&[letter()].as_slice()).unwrap()))?;
    }
    let memory = MemoryStorage::new();
    memory.put_if_absent("f", &std::fs::read(path)?)?;
    assert_eq!(read(&(Arc::new(memory) as StorageRef), "f")?, [letter()]);
    Ok(())
}

#[test]
fn a_damaged_file_is_named() -> Result<()> {
    let memory = MemoryStorage::new();
    let mut file = Envelope { version: FORM.version + 1, ..FORM }.close(b"");
    memory.put_if_absent("newer", &file)?;
    file.pop();
    memory.put_if_absent("torn", &file)?;
    let storage: StorageRef = Arc::new(memory);
    for (name, says) in [("newer", "has version 2"), ("torn", "is damaged"), ("none", "is missing")] {
        let error = read(&storage, name).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(name), "{error}");
    }
    Ok(())
}
