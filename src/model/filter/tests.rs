use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Filter {
    Filter::parse(text).unwrap()
}

fn fault(text: &str) -> (usize, String) {
    let error = Filter::parse(text).unwrap_err();
    (error.position, error.message)
}

#[test]
fn the_examples_of_the_design_are_read() {
    let filter =
        parse("state:failed,unknown error:\"invalid e-mail\" -mapping:pets age>1h attempts>=3 jo");
    assert_eq!(
        filter.terms[0].condition,
        Condition::State(vec![JobState::Failed, JobState::Unknown])
    );
    assert_eq!(
        filter.terms[1].condition,
        Condition::Error(vec!["invalid e-mail".into()])
    );
    assert!(filter.terms[2].negated);
    assert_eq!(
        filter.terms[3].condition,
        Condition::Age(vec![Bound {
            comparison: Comparison::More,
            value: 3600
        }])
    );
    assert_eq!(filter.terms[5].condition, Condition::Text("jo".into()));
    assert_eq!(
        filter.to_string(),
        "state:failed,unknown error:\"invalid e-mail\" -mapping:pets age:>3600s attempts:>=3 jo"
    );
    assert_eq!(parse("age:<2d"), parse("age<172800s"));
    assert_eq!(parse("  "), Filter::default());
    assert_eq!(
        parse("10:30").terms[0].condition,
        Condition::Text("10:30".into())
    );
    assert_eq!(parse("-").terms[0].condition, Condition::Text("-".into()));
}

#[test]
fn faults_have_a_position_and_a_suggestion() {
    assert_eq!(
        fault("ü stat:failed"),
        (2, "unknown key stat; did you mean state?".into())
    );
    assert_eq!(
        fault("state:faild"),
        (6, "unknown state faild; did you mean failed?".into())
    );
    assert_eq!(fault("a error:\"x"), (8, "this quote does not end".into()));
    assert_eq!(fault("mapping:"), (8, "mapping: wants a value".into()));
    assert_eq!(fault("mapping:a,"), (10, "mapping: wants a value".into()));
    assert!(fault("age:1h").1.contains("age>1h"));
    assert!(fault("age>soon").1.contains("no length of time"));
    assert!(fault("attempts>=x").1.contains("no number"));
    assert!(fault("mapping>pets").1.contains("cannot be compared"));
    assert!(fault("colour:red").1.contains("the keys are state reason"));
    assert_eq!(fault("error:\"a\"b").0, 9);
}

#[test]
fn the_last_word_is_completed() {
    assert_eq!(Filter::complete("state:failed re"), ["reason:", "record:"]);
    assert_eq!(
        Filter::complete("-state:failed,un"),
        ["-state:failed,unknown"]
    );
    assert_eq!(Filter::complete("up"), ["updated>"]);
    assert!(Filter::complete("mapping:p").is_empty());
    assert_eq!(Filter::complete("").len(), 15);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Ok(filter) = Filter::parse(&text) {
            prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
        }
        Filter::complete(&text);
    }

    #[test]
    fn likely_texts_survive_a_round_trip(
        words in prop::collection::vec("-?(state:failed|age>[0-9]{1,4}m|attempts:[0-9]|error:\"[a-z\\\\\", -]{1,8}\"|record:[^ \",]{1,6}|[a-zé:\"-]{1,6})", 0..5)
    ) {
        let text = words.join(" ");
        match Filter::parse(&text) {
            Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter)),
            Err(error) => prop_assert!(error.position <= text.chars().count()),
        }
    }
}
