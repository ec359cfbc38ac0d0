//! A file that comes in pieces, each an object of its own until all have come. A piece is there when it is whole: what
//! broke off in the middle of one is not kept.

use bytes::Bytes;
use domain::{TenantId, UploadId};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use uuid::Uuid;

use crate::{BlobError, Blobs, PutError, Stored};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub id: Uuid,
    pub bytes: u64,
}

impl Blobs {
    fn piece_key(tenant: TenantId, upload: UploadId, piece: Uuid) -> Key {
        Key::from(format!("tenants/{tenant}/pieces/{upload}/{}", piece.simple()))
    }

    /// Stores a piece, under a name that no other has.
    pub async fn put_piece<E>(
        &self,
        tenant: TenantId,
        upload: UploadId,
        mut source: impl Stream<Item = Result<Bytes, E>> + Unpin,
        limit: u64,
    ) -> Result<Piece, PutError<E>> {
        let id = Uuid::now_v7();
        let key = Self::piece_key(tenant, upload, id);
        let stored = self.gather(tenant, &key, &mut source, limit).await?;
        Ok(Piece { id, bytes: stored.bytes })
    }

    /// Stores pieces, one after the other, as one content.
    pub async fn join(
        &self,
        tenant: TenantId,
        upload: UploadId,
        pieces: &[Uuid],
    ) -> Result<Stored, BlobError> {
        let keys = pieces.iter().map(|piece| Self::piece_key(tenant, upload, *piece));
        let parts = stream::iter(keys).then(|key| async move { self.plain(tenant, &key).await });
        let stored = self.put_stream(tenant, parts.try_flatten().boxed_local(), u64::MAX).await;
        stored.map_err(|error| error.without_limit(|error| error))
    }

    /// Forgets a piece that was not counted; if it is gone already, that is no error.
    pub async fn delete_piece(
        &self,
        tenant: TenantId,
        upload: UploadId,
        piece: Piece,
    ) -> Result<(), BlobError> {
        self.delete(Self::piece_key(tenant, upload, piece.id).as_ref()).await
    }

    /// Forgets all pieces of an upload.
    pub async fn delete_pieces(&self, tenant: TenantId, upload: UploadId) -> Result<(), BlobError> {
        self.delete_below(&format!("tenants/{tenant}/pieces/{upload}")).await
    }
}
