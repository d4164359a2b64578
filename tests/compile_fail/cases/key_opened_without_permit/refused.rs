// refused with: E0624
#![allow(unused)]


pub async fn open(room: &keystead_engine::room::Room<'_>, key: keystead_model::KeyRef) {
    let _ = room.version(&key).await;
}
