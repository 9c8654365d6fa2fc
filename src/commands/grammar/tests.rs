//! Texts of commands are parsed, and every error says what would be right.

use super::*;
use crate::base::values::{OrderId, UsState};
use crate::commands::domain::{CursorText, Limit, OneTimeAction, StatusOrStock};
use crate::orders::domain::{NewOrder, OrderStatus, Quantity, RequestedStates};
use proptest::prelude::*;

fn commands(text: &str) -> Vec<String> {
    let lines = read(text).unwrap_or_else(|errors| panic!("{text:?}: {errors:?}"));
    let written = |line: &Line| match &line.instruction {
        Instruction::Run(command) => format!("{} {command}", line.number),
        Instruction::Help(of) => format!("{} help {}", line.number, of.map_or("", |spec| spec.name)),
    };
    lines.iter().map(written).collect()
}

fn errors(text: &str) -> Vec<String> {
    let errors = read(text).err().unwrap_or_else(|| panic!("{text:?} is right"));
    errors.iter().map(LineError::to_string).collect()
}

#[test]
fn quotes_comments_and_all_line_endings_are_parsed() {
    for (text, read) in [
        ("get_leads", vec!["1 get_leads limit=25"]),
        ("\u{feff}  get_leads\tstate=ca  ", vec!["1 get_leads state=CA limit=25"]),
        ("# a comment\r\n\r\nget_leads limit=1 # and why\r\n", vec!["3 get_leads limit=1"]),
        ("get_leads#", vec![]),
        ("help\nhelp get_leads # what?", vec!["1 help ", "2 help get_leads"]),
        (
            r#"create_order customerName="Al \"Ace\" \\ Sons # 1" customer_email=a#b@acme.example requested_states="CA, ny CA""#,
            vec![
                r#"1 create_order customer_name="Al \"Ace\" \\ Sons # 1" customer_email=a#b@acme.example requested_states=CA,NY"#,
            ],
        ),
    ] {
        match read.as_slice() {
            [] => assert!(super::read(text).is_err(), "{text:?}"),
            read => assert_eq!(commands(text), read, "{text:?}"),
        }
    }
}

#[test]
fn errors_name_the_line_column_and_parameter_and_what_would_be_right() {
    for (text, message) in [
        ("", "line 1, column 1: There's no command here"),
        ("# nothing\n\n", "line 1, column 1: There's no command here"),
        ("=", "line 1, column 1: A line must start with a command"),
        ("get_leads\n  \"get_leads\"", "line 2, column 3: A line must start with a command"),
        ("  fulfil_order order_id=1", "line 1, column 3: There's no command fulfil_order. The commands are"),
        ("get_leads state=XX", "line 1, column 11, state: This isn't a US state"),
        ("\n\nget_leads limit=1 staat=CA", "line 3, column 19, staat: get_leads doesn't have this parameter"),
        ("get_leads state", "line 1, column 11, state: get_leads takes parameters as name=value"),
        ("get_leads state=", "line 1, column 17: Put the value after ="),
        ("get_leads state= CA", "line 1, column 17: Put the value after ="),
        ("get_leads state=\"CA", "line 1, column 20: The quotation mark at the end of the value is missing."),
        ("get_leads state=\"C\\A\"", "line 1, column 20: Within quotation marks"),
        ("get_leads state=\"CA\"limit=1", "line 1, column 21: Expected a parameter"),
        ("get_leads state=C\"A", "line 1, column 18: Expected a parameter"),
        ("get_leads é=1 ?", "line 1, column 15: Expected a parameter"),
        ("get_leads state=CA state=NY", "line 1, column 20, state: This appears twice"),
        ("fulfill_order", "line 1, column 1, order_id: This is missing. Send the order's ID"),
        ("help me", "line 1, column 1: There's no command me. The commands are"),
        ("help get_leads get_orders", "line 1, column 16, get_orders: help takes the name of one command"),
    ] {
        let found = errors(text);
        assert!(found[0].starts_with(message), "{text:?}: {found:?}");
        assert!(found[0].ends_with('.'), "{found:?}");
    }
    let both = errors("get_leads state=XX limit=0\nget_leads\nhelp me");
    assert_eq!(both.len(), 3, "{both:?}");
}

#[test]
fn a_long_text_is_refused() {
    assert_eq!(commands(&"get_leads\n".repeat(MAX_COMMANDS)).len(), MAX_COMMANDS);
    let one_more = errors(&"get_leads\n".repeat(MAX_COMMANDS + 1));
    assert_eq!(one_more, ["line 101, column 1: Send at most 100 commands at once."]);
    assert!(errors(&"#".repeat(MAX_BYTES + 1))[0].contains("64 KB"));
    assert!(read(&format!("get_leads {}", "#".repeat(MAX_BYTES - 10))).is_ok());
}

fn order_ids() -> impl Strategy<Value = OrderId> {
    any::<[u8; 10]>().prop_map(|random| OrderId::new(jiff::Timestamp::UNIX_EPOCH, &random))
}

fn states() -> impl Strategy<Value = UsState> {
    prop::sample::select(UsState::all().collect::<Vec<_>>())
}

fn limits() -> impl Strategy<Value = Limit> {
    (1..=100_u16).prop_map(|limit| limit.to_string().parse().expect("a limit"))
}

fn orders() -> impl Strategy<Value = Command> {
    let names = "[^\\p{C}]{1,40}".prop_filter_map("a name", |name| name.parse().ok());
    let emails =
        "[a-z#'+\\\\]{1,9}@[a-z]{1,9}\\.example".prop_filter_map("an address", |email| email.parse().ok());
    let requested = prop::collection::vec(states(), 1..8);
    let requested = requested.prop_map(|states| RequestedStates::try_from(states).expect("one at least"));
    let quantity =
        prop::option::of((1..=1000_u32).prop_map(|one| Quantity::try_from(one).expect("a quantity")));
    (names, emails, requested, quantity).prop_map(
        |(customer_name, customer_email, requested_states, quantity_per_state)| {
            Command::CreateOrder(NewOrder {
                customer_name,
                customer_email,
                requested_states,
                quantity_per_state,
            })
        },
    )
}

fn cursors() -> impl Strategy<Value = Option<CursorText>> {
    prop::option::of("[A-Za-z0-9_-]{1,40}".prop_map(|text| text.parse().expect("a cursor")))
}

fn any_command() -> impl Strategy<Value = Command> {
    let of_orders = prop::option::of(prop::sample::select(OrderStatus::ALL.to_vec()));
    let names = ["prospect", "QUALIFIED", "converted", "unassigned", "assigned", "fulfilled"];
    let of_leads =
        prop::sample::select(names.map(|name| name.parse::<StatusOrStock>().expect("a status")).to_vec());
    let actions = prop::sample::select(vec![OneTimeAction::FulfillOrder, OneTimeAction::DeleteOrder]);
    prop_oneof![
        orders(),
        order_ids().prop_map(|order_id| Command::FulfillOrder { order_id }),
        order_ids().prop_map(|order_id| Command::DeleteOrder { order_id }),
        (of_orders, limits(), cursors()).prop_map(|(status, limit, cursor)| Command::GetOrders {
            status,
            limit,
            cursor
        }),
        (prop::option::of(of_leads), prop::option::of(states()), limits(), cursors())
            .prop_map(|(status, state, limit, cursor)| Command::GetLeads { status, state, limit, cursor }),
        (order_ids(), actions).prop_map(|(order_id, action)| Command::OneTimeRule { order_id, action }),
    ]
}

proptest! {
    #[test]
    fn a_command_round_trips_through_its_line(command in any_command()) {
        let line = command.to_string();
        let read = read(&line);
        let Ok([Line { instruction: Instruction::Run(same), .. }]) = read.as_deref() else {
            panic!("{line}: {read:?}");
        };
        prop_assert_eq!(same, &command, "{}", line);
    }

    #[test]
    fn any_text_is_parsed_or_refused_with_a_message(text in "\\PC*|[a-z_]{1,9}( [a-z_]{1,9}=?[\"\\\\a-zA-Z ,#]{0,9}){0,3}") {
        if let Err(errors) = read(&text) {
            for error in errors {
                prop_assert!(error.message.ends_with('.') && error.line >= 1 && error.column >= 1, "{}", error);
            }
        }
    }
}
