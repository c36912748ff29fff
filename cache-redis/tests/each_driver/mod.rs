//! Every test once for each driver.

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
