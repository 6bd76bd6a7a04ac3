//! A message of the Jupyter protocol as it travels: frames, signed with a key that both sides know.
//!
//! Whoever reaches a kernel's ports can send anything; only who has the key can sign it. So nothing is read before its
//! signature was checked.

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jupyter_protocol::ConnectionInfo;
use ring::hmac;
use serde_json::{Value, json};
use std::collections::{HashSet, VecDeque};
use zeromq::ZmqMessage;

pub(crate) const DELIMITER: &[u8] = b"<IDS|MSG>";

/// How many signatures are remembered, so that a message that was listened to cannot be sent again.
const REMEMBERED: usize = 16_384;

/// Why a message is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its frames are no Jupyter message.
    Malformed,
    /// It was signed with another key, changed on its way, or not signed.
    Forged,
    /// It arrived before.
    Replayed,
}

/// Signs and checks with the key of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Signer(hmac::Key);

impl Signer {
    /// The key of a connection. Jupyter takes an empty key for "do not sign"; then every process of the machine could run
    /// code here, so that is refused.
    pub(crate) fn new(info: &ConnectionInfo) -> Result<Self> {
        if info.key.is_empty() {
            bail!(
                "the connection file has an empty key, so nobody could tell who sends a message; let Jupyter make one (remove `Session.key` from its configuration)"
            );
        }
        if info.signature_scheme != "hmac-sha256" {
            bail!(
                "the connection file asks for signatures by `{}`, expected `hmac-sha256`; remove `Session.signature_scheme` from Jupyter's configuration",
                info.signature_scheme
            );
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, info.key.as_bytes())))
    }

    pub(crate) fn sign(&self, parts: &[Vec<u8>; 4]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        HEXLOWER.encode(context.sign().as_ref())
    }
}

/// The frames of a message whose signature is right; not yet read.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    frames: Vec<Bytes>,
    delimiter: usize,
}

impl Frames {
    /// Checks the signature, in a time that does not tell how much of it was right.
    pub(crate) fn checked(message: ZmqMessage, signer: &Signer) -> Result<Self, Refusal> {
        let frames = message.into_vec();
        let delimiter = frames
            .iter()
            .position(|frame| frame.as_ref() == DELIMITER)
            .ok_or(Refusal::Malformed)?;
        // The signature, then header, parent header, metadata and content, which are signed; buffers are not.
        if frames.len() < delimiter + 6 {
            return Err(Refusal::Malformed);
        }
        let signature = HEXLOWER_PERMISSIVE
            .decode(&frames[delimiter + 1])
            .map_err(|_| Refusal::Forged)?;
        let signed = frames[delimiter + 2..delimiter + 6].concat();
        hmac::verify(&signer.0, &signed, &signature).map_err(|_| Refusal::Forged)?;
        Ok(Self { frames, delimiter })
    }

    fn part(&self, index: usize) -> &Bytes {
        &self.frames[self.delimiter + 2 + index]
    }

    pub(crate) fn header(&self) -> &[u8] {
        self.part(0)
    }

    pub(crate) fn parent(&self) -> &[u8] {
        self.part(1)
    }

    pub(crate) fn content(&self) -> &Bytes {
        self.part(3)
    }

    /// Reads the frames; `None` when they are not JSON.
    pub(crate) fn read(&self) -> Option<Message> {
        let part = |index: usize| serde_json::from_slice(self.part(index)).ok();
        Some(Message {
            header: part(0)?,
            parent: part(1)?,
            metadata: part(2)?,
            content: part(3)?,
            buffers: self.frames[self.delimiter + 6..].to_vec(),
            route: self.frames[..self.delimiter].to_vec(),
        })
    }
}

/// Takes messages of one sender, each once.
#[derive(Debug)]
pub(crate) struct Gate {
    signer: Signer,
    seen: HashSet<Bytes>,
    order: VecDeque<Bytes>,
}

impl Gate {
    pub(crate) fn new(signer: Signer) -> Self {
        Self {
            signer,
            seen: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// The message, unless it is forged, malformed or known.
    pub(crate) fn take(&mut self, message: ZmqMessage) -> Result<Message, Refusal> {
        let frames = Frames::checked(message, &self.signer)?;
        // A copy: the frame shares its memory with all that was read at once. Upper case says the same as lower case.
        let signature = Bytes::from(frames.frames[frames.delimiter + 1].to_ascii_lowercase());
        if !self.seen.insert(signature.clone()) {
            return Err(Refusal::Replayed);
        }
        self.order.push_back(signature);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        frames.read().ok_or(Refusal::Malformed)
    }
}

/// One message, with the frames that say where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    route: Vec<Bytes>,
    pub(crate) header: Value,
    pub(crate) parent: Value,
    metadata: Value,
    pub(crate) content: Value,
    buffers: Vec<Bytes>,
}

impl Message {
    pub(crate) fn kind(&self) -> &str {
        self.header["msg_type"].as_str().unwrap_or_default()
    }

    /// An answer to this message.
    pub(crate) fn reply(&self, kind: &str, content: Value) -> Self {
        let mut reply = self.sibling(kind, content);
        reply.parent = self.header.clone();
        reply
    }

    /// A message with the same route and parent.
    pub(crate) fn sibling(&self, kind: &str, content: Value) -> Self {
        let mut header = self.header.clone();
        header["msg_type"] = kind.into();
        header["msg_id"] =
            format!("{}-{kind}", header["msg_id"].as_str().unwrap_or_default()).into();
        Self {
            route: self.route.clone(),
            header,
            parent: self.parent.clone(),
            metadata: json!({}),
            content,
            buffers: Vec::new(),
        }
    }

    /// The frames, signed with the receiver's key.
    pub(crate) fn signed(&self, signer: &Signer) -> Result<ZmqMessage> {
        let parts = [
            serde_json::to_vec(&self.header)?,
            serde_json::to_vec(&self.parent)?,
            serde_json::to_vec(&self.metadata)?,
            serde_json::to_vec(&self.content)?,
        ];
        let signature = signer.sign(&parts);
        let mut frames = self.route.clone();
        frames.push(DELIMITER.into());
        frames.push(signature.into());
        frames.extend(parts.map(Bytes::from));
        frames.extend(self.buffers.iter().cloned());
        ZmqMessage::try_from(frames).map_err(|_| anyhow!("a message without frames"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn signer(key: &str) -> Signer {
        Signer(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))
    }

    pub(crate) fn message(kind: &str, id: &str, parent: &str, content: Value) -> Message {
        Message {
            route: vec![Bytes::from_static(b"route")],
            header: json!({"msg_type": kind, "msg_id": id, "session": "s", "username": "u", "date": "2026-01-01T00:00:00Z", "version": "5.3"}),
            parent: json!({"msg_type": "execute_request", "msg_id": parent, "session": "s", "username": "u", "date": "2026-01-01T00:00:00Z", "version": "5.3"}),
            metadata: json!({}),
            content,
            buffers: Vec::new(),
        }
    }

    fn signed() -> Vec<Bytes> {
        let request = message("execute_request", "1", "", json!({"code": "1 + 1"}));
        request.signed(&signer("right")).unwrap().into_vec()
    }

    fn take(gate: &mut Gate, frames: Vec<Bytes>) -> Result<Message, Refusal> {
        gate.take(ZmqMessage::try_from(frames).unwrap())
    }

    #[test]
    fn only_who_has_the_key_is_heard() {
        let mut gate = Gate::new(signer("right"));
        assert_eq!(take(&mut gate, signed()).unwrap().content["code"], "1 + 1");
        assert_eq!(take(&mut gate, signed()).unwrap_err(), Refusal::Replayed);
        let mut shouted = signed();
        shouted[2] = Bytes::from(shouted[2].to_ascii_uppercase());
        assert_eq!(take(&mut gate, shouted).unwrap_err(), Refusal::Replayed);

        let wrong = message("execute_request", "2", "", json!({"code": "1 + 1"}));
        let wrong = wrong.signed(&signer("wrong")).unwrap();
        assert_eq!(gate.take(wrong).unwrap_err(), Refusal::Forged);
        // Each of the four signed parts, and the signature itself.
        for part in 3..7 {
            let mut changed = signed();
            changed[part] = Bytes::from_static(b"{\"code\": \"std::process::exit(1)\"}");
            let refused = take(&mut Gate::new(signer("right")), changed).unwrap_err();
            assert_eq!(refused, Refusal::Forged, "part {part}");
        }
        for signature in ["", "00", "not hexadecimal", &"0".repeat(64)] {
            let mut changed = signed();
            changed[2] = Bytes::copy_from_slice(signature.as_bytes());
            let refused = take(&mut Gate::new(signer("right")), changed).unwrap_err();
            assert_eq!(refused, Refusal::Forged, "signature `{signature}`");
        }
    }

    #[test]
    fn frames_that_are_no_message_are_refused_and_nothing_panics() {
        for length in 1..7 {
            let short = signed()[..length].to_vec();
            let refused = take(&mut Gate::new(signer("right")), short).unwrap_err();
            assert_eq!(refused, Refusal::Malformed, "{length} frames");
        }
        let without = signed()
            .into_iter()
            .filter(|frame| frame.as_ref() != DELIMITER)
            .collect();
        let refused = take(&mut Gate::new(signer("right")), without).unwrap_err();
        assert_eq!(refused, Refusal::Malformed);
        // A delimiter in the place of the signature, and at the very end.
        let twice = vec![Bytes::from_static(DELIMITER); 7];
        let refused = take(&mut Gate::new(signer("right")), twice).unwrap_err();
        assert_eq!(refused, Refusal::Forged);
    }

    #[test]
    fn a_connection_without_a_key_is_refused() {
        let info = |key: &str, scheme: &str| -> ConnectionInfo {
            serde_json::from_value(json!({
                "ip": "127.0.0.1", "transport": "tcp", "shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4,
                "hb_port": 5, "key": key, "signature_scheme": scheme,
            }))
            .unwrap()
        };
        assert!(Signer::new(&info("k", "hmac-sha256")).is_ok());
        let empty = Signer::new(&info("", "hmac-sha256"))
            .unwrap_err()
            .to_string();
        assert!(empty.contains("empty key"), "{empty}");
        let other = Signer::new(&info("k", "hmac-md5")).unwrap_err().to_string();
        assert!(other.contains("hmac-md5"), "{other}");
    }
}
