//! The kinds of call, and what is of none.

use insight::analysis::{analyze, document::CallType};

use crate::kit::{call, tuesday};

#[test]
fn each_kind_of_call_is_told_by_its_own_words() {
    let calls = [
        (CallType::Sales, "We would like a demo, and a quote for forty seats."),
        (CallType::Support, "The screen is broken, and I want a replacement under warranty."),
        (CallType::Interview, "The candidate asks about the salary and the notice period."),
        (CallType::Finance, "What is the interest rate of the mortgage?"),
        (CallType::Healthcare, "The doctor wrote a prescription for the pain."),
        (CallType::Legal, "Our lawyer says that the court decides in May."),
        (CallType::Education, "The teacher gave us homework for the exam."),
        (CallType::Personal, "Mom, grandma comes to my birthday dinner."),
    ];
    for (kind, said) in calls {
        assert_eq!(analyze(&call("en", &[(0, said)]), &tuesday()).call_type, Some(kind), "{said}");
    }
}

#[test]
fn a_call_that_speaks_for_no_kind_or_for_two_has_none() {
    let calls = [
        "The garden wall needs a new foundation.",
        // One phrase is not enough, for a call of friends neither.
        "What do you do at the weekend?",
        "I met a doctor on the train.",
        "The lawyer is in court, and the doctor is at the clinic.",
    ];
    for said in calls {
        assert_eq!(analyze(&call("en", &[(0, said)]), &tuesday()).call_type, None, "{said}");
    }
    assert_eq!(analyze(&call("de", &[(0, "Ein Demo und ein Budget.")]), &tuesday()).call_type, None);
}
