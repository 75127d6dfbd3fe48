//! The engine's port on one API server.

use crate::{ClusterClient, ErrorClass, KubeError, StatusChange};
use trellis_gateway::{ClusterEvent, ObjectChange, Read, SecretKey, SecretRead, StatusPatch};
use trellis_ports::{Answer, Awaited, CallError, Cluster, PatchOutcome};

impl Cluster for ClusterClient {
    async fn read(&self, read: &Read) -> Result<Answer, CallError> {
        answer(self.try_read(read).await)
    }

    async fn read_at_least(&self, read: &Read, awaited: &Awaited) -> Result<Answer, CallError> {
        crate::stored::read_at_least(async || self.read(read).await, awaited).await
    }

    async fn secret(&self, key: &SecretKey) -> Result<SecretRead, CallError> {
        Ok(self.read_secret(&key.namespace, &key.name).await?)
    }

    async fn patch_status(&self, patch: &StatusPatch) -> Result<PatchOutcome, CallError> {
        let change = StatusChange {
            kind: patch.kind,
            namespace: &patch.namespace,
            name: &patch.name,
            resource_version: &patch.resource_version,
            status: &patch.status,
        };
        Ok(Self::patch_status(self, &change).await?)
    }

    async fn change(&self, change: &ObjectChange) -> Result<PatchOutcome, CallError> {
        Ok(self.try_change(change).await?)
    }

    async fn tell(&self, event: &ClusterEvent) -> Result<(), CallError> {
        Ok(self.try_tell(event).await?)
    }
}

fn answer(read: Result<Vec<serde_json::Value>, KubeError>) -> Result<Answer, CallError> {
    match read {
        Ok(objects) => Ok(Answer::of(objects)),
        Err(KubeError::KindMissing(_)) => Ok(Answer::KindMissing),
        Err(error) => Err(error.into()),
    }
}

impl From<KubeError> for CallError {
    fn from(error: KubeError) -> Self {
        let class = match (&error, error.class()) {
            (KubeError::Timeout { .. }, _) | (_, ErrorClass::DescribeAgain) => {
                trellis_ports::ErrorClass::NoAnswer
            }
            (_, ErrorClass::Retry) => trellis_ports::ErrorClass::Retry,
            (_, ErrorClass::Terminal) => trellis_ports::ErrorClass::Terminal,
        };
        let retry_after = match &error {
            KubeError::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        };
        Self::of(class, error).after(retry_after)
    }
}
