//! A contender at work, whichever it is. What tells them apart is paid once a
//! task and not once a call.

use std::future::Future;
use std::pin::Pin;

use anyhow::{Result, ensure};

use super::client::Client;
use super::job::{FILLING, Job, Operation};
use super::pace::Pace;

pub trait Worker: Send + Sync {
    /// One task's work. It fails if a call did not do what it should.
    fn work(&self, job: Job, pace: Pace) -> Work;
}

pub type Work = Pin<Box<dyn Future<Output = Result<Pace>> + Send>>;

impl<C: Client> Worker for C {
    fn work(&self, job: Job, pace: Pace) -> Work {
        Box::pin(work(self.clone(), job, pace))
    }
}

/// Sets all keys of the job, so that they can be read.
pub async fn fill(worker: &dyn Worker, job: &Job) -> Result<()> {
    worker.work(job.filling(), Pace::Calls(FILLING)).await.map(drop)
}

async fn work(mut client: impl Client, job: Job, mut pace: Pace) -> Result<Pace> {
    let value = &job.value;
    let (mut keys, mut chunks) = (job.each(), job.chunks());
    while pace.goes_on() {
        match job.operation {
            Operation::Get => {
                let Some(key) = keys.next() else { break };
                found(client.get(key).await?, value.len())?;
            }
            Operation::Set => {
                let Some(key) = keys.next() else { break };
                client.set(key, value).await?;
            }
            Operation::GetMany => {
                let Some(chunk) = chunks.next() else { break };
                found(client.get_many(chunk).await?, value.len() * chunk.len())?;
            }
            Operation::SetMany => {
                let Some(chunk) = chunks.next() else { break };
                client.set_many(chunk, value).await?;
            }
        }
    }
    drop((keys, chunks));
    Ok(pace)
}

fn found(bytes: usize, expected: usize) -> Result<()> {
    ensure!(bytes == expected, "found {bytes} bytes where {expected} are: that measures nothing");
    Ok(())
}
