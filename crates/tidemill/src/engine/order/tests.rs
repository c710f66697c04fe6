//! Orders of jobs, agreed and not.

use super::*;

#[test]
fn every_kind_of_failure_crosses_as_itself() {
    for kind in KINDS {
        let sent = Failure::from(&Error::new(kind, "no room on the disk"));
        let failure: Failure = decode(&encode(&sent).unwrap()).unwrap();
        let error = Error::from(failure.clone());
        assert_eq!((error.kind(), error.to_string(), failure), (kind, "no room on the disk".to_owned(), sent));
    }
}

#[test]
fn places_cross_as_themselves() {
    for lane in [Lane::Batch(Time::from_ms(7)), Lane::Thread("main".into()), Lane::Thread(String::new())] {
        let turn = Turn { lane, sequence: 3 };
        let place: Place = decode(&encode(&Place::from(&turn)).unwrap()).unwrap();
        assert_eq!(Turn::from(place), turn);
    }
}

#[test]
fn what_is_no_order_is_refused() {
    assert!(decode::<Order>(&[250, 1]).is_err());
}
