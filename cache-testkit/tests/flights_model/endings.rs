//! One flight, and all who may end it, at once.

use std::sync::Arc;

use shuttle::future::spawn;

use crate::loads::flights::{Expired, Flights, Joined, Publish};

const KEY: u8 = 7;
/// When its time is over.
const UNTIL: u64 = 10;

const LOADED: u32 = 1;
const STORED: u32 = 2;
const FAILED: u32 = 3;

/// Its task ends it, and so do two who wait for it.
pub(crate) async fn play() {
    let flights = Flights::<u8, u32>::new();
    let joined = flights.join(&KEY, || (KEY, Arc::default()), None, (0, UNTIL));
    let Ok(Joined::Claimed { claim, waiter, .. }) = joined else { unreachable!("nobody else loads") };
    let flight = Arc::clone(waiter.flight());
    let impatient = [(); 2].map(|()| {
        let (flights, flight) = (Arc::clone(&flights), Arc::clone(&flight));
        spawn(async move { flights.expire(&flight, UNTIL, FAILED) })
    });
    let task = spawn(async move {
        claim.begin_publish(LOADED, Publish::Conditional, UNTIL);
        claim.end(STORED)
    });
    let mut said = Vec::new();
    for expired in impatient {
        said.extend(expired.await.expect("nobody panics").map(|phase| match phase {
            Expired::Loading => FAILED,
            Expired::Publishing => LOADED,
        }));
    }
    said.extend(task.await.expect("nobody panics").then_some(STORED));
    let outcome = flight.outcome_now().expect("it is over").expect("its task was not dropped");
    assert_eq!(said, [outcome], "whoever ended it is told so, and nobody else");
    assert!(!flight.task().is_wanted() && flights.is_quiet(), "it is over once");
    drop(waiter);
    assert!(!flight.task().is_wanted(), "nobody who goes then ends it again");
    assert_eq!(flights.under_way(), 0);
}
