//! Every test once for each driver, and where that matters also with single
//! operations that travel together.

/// Makes tests of async functions that are told the driver.
#[macro_export]
macro_rules! with_each_driver {
    ($($test:ident),* $(,)?) => {
        mod redis_rs {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let [driver, _] = $crate::servers::DRIVERS;
                    $crate::patience::within(stringify!($test), super::$test(driver)).await;
                }
            )*
        }

        mod fred {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let [_, driver] = $crate::servers::DRIVERS;
                    $crate::patience::within(stringify!($test), super::$test(driver)).await;
                }
            )*
        }
    };
}

/// The same, and for each driver also with batching.
#[allow(unused_macros, reason = "not every test program has such tests")]
macro_rules! with_each_driver_and_batching {
    ($($test:ident),* $(,)?) => {
        with_each_driver!($($test),*);

        mod redis_rs_batched {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let [_, _, way, _] = $crate::servers::WAYS;
                    $crate::patience::within(stringify!($test), super::$test(way)).await;
                }
            )*
        }

        mod fred_batched {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let [_, _, _, way] = $crate::servers::WAYS;
                    $crate::patience::within(stringify!($test), super::$test(way)).await;
                }
            )*
        }
    };
}
