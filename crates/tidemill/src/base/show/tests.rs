//! What Scala prints, one line per case.

use super::*;

macro_rules! shows {
    ($($name:ident: $($value:expr => $expected:expr),+ $(,)?;)*) => {$(
        #[test]
        fn $name() {
            $(assert_eq!(Show::shown(&$value).to_string(), $expected);)+
        }
    )*};
}

shows! {
    scalars:
        1 => "1", -7_i64 => "-7", 255_u8 => "255", true => "true", 'x' => "x", () => "()",
        "a b" => "a b", String::from("é") => "é", Text::from("t") => "t",
        Time::from_ms(1_250) => "1250 ms", Duration::from_micros(500_900) => "500 ms";
    doubles:
        1.0 => "1.0", 0.0 => "0.0", -0.0 => "-0.0", 1.5 => "1.5", 0.1 => "0.1", 100.0 => "100.0",
        1e10 => "1.0E10", 1e-5 => "1.0E-5", 1.25e-4 => "1.25E-4", 0.001 => "0.001", 0.00099 => "9.9E-4",
        1e7 => "1.0E7", 9_999_999.0 => "9999999.0", 12_345_678.9 => "1.23456789E7", -1e21 => "-1.0E21",
        f64::NAN => "NaN", f64::INFINITY => "Infinity", f64::NEG_INFINITY => "-Infinity",
        f64::MAX => "1.7976931348623157E308", 5e-324 => "5.0E-324", 1.0 / 3.0 => "0.3333333333333333";
    floats:
        1.0_f32 => "1.0", 0.1_f32 => "0.1", 16_777_216.0_f32 => "1.6777216E7", 1e-5_f32 => "1.0E-5",
        3.402_823_5e38_f32 => "3.4028235E38";
    tuples:
        ("a", 1) => "(a,1)", (1, 2.0, 'c') => "(1,2.0,c)", (("k", 1), vec![2]) => "((k,1),List(2))",
        (1, 2, 3, 4) => "(1,2,3,4)", (1, 2, 3, 4, 5) => "(1,2,3,4,5)", (1, 2, 3, 4, 5, 6) => "(1,2,3,4,5,6)",
        (1, 2, 3, 4, 5, 6, 7) => "(1,2,3,4,5,6,7)", (1, 2, 3, 4, 5, 6, 7, 8) => "(1,2,3,4,5,6,7,8)";
    options:
        Some(1) => "Some(1)", None::<i32> => "None", Some(("a", None::<u8>)) => "Some((a,None))";
    sequences:
        vec![1, 2] => "List(1, 2)", Vec::<i32>::new() => "List()", ["a", "b"] => "List(a, b)",
        &[(1, 2)][..] => "List((1,2))", BTreeSet::from([2, 1]) => "Set(1, 2)",
        HashSet::from(["b", "a"]) => "Set(a, b)";
    maps:
        BTreeMap::from([("b", 2), ("a", 1)]) => "Map(a -> 1, b -> 2)",
        HashMap::from([("b", 2), ("a", 1)]) => "Map(a -> 1, b -> 2)",
        HashMap::<i32, i32>::new() => "Map()";
    pointers:
        Box::new(1) => "1", Arc::new(("a", 1)) => "(a,1)", Rc::new(2) => "2", &&3 => "3",
        Arc::<str>::from("s") => "s", Cow::Borrowed("c") => "c";
}
