-- SPDX-License-Identifier: AGPL-3.0-or-later
-- A vault of version 1, as the first program made it. Frozen.
CREATE TABLE me (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  door_text TEXT NOT NULL,
  door BLOB,
  desk TEXT NOT NULL,
  member TEXT NOT NULL,
  sign_seed BLOB NOT NULL,
  request_seed BLOB NOT NULL,
  addresses TEXT NOT NULL,
  pin BLOB,
  page_version INTEGER NOT NULL
) STRICT;
CREATE TABLE followed (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  batch INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  state BLOB NOT NULL
) STRICT;
CREATE TABLE missing_pack (
  batch INTEGER PRIMARY KEY,
  pack BLOB NOT NULL,
  gen INTEGER NOT NULL
) STRICT;
CREATE TABLE secret (
  kind TEXT NOT NULL,
  day INTEGER NOT NULL,
  name BLOB NOT NULL,
  secret BLOB NOT NULL
) STRICT;
CREATE TABLE transport_note (
  day INTEGER PRIMARY KEY,
  raw BLOB NOT NULL,
  logged INTEGER
) STRICT;
CREATE TABLE epoch_note (
  hash BLOB PRIMARY KEY,
  gen INTEGER NOT NULL,
  day INTEGER NOT NULL,
  raw BLOB NOT NULL
) STRICT;
CREATE TABLE waiting_note (
  number INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  day INTEGER NOT NULL,
  gen INTEGER NOT NULL,
  raw BLOB NOT NULL UNIQUE
) STRICT;
CREATE TABLE thread (
  id BLOB PRIMARY KEY,
  seal_key BLOB NOT NULL,
  dh BLOB NOT NULL,
  psk BLOB NOT NULL
) STRICT;
CREATE TABLE letter (
  number INTEGER PRIMARY KEY,
  thread BLOB NOT NULL REFERENCES thread (id),
  msg_id BLOB NOT NULL,
  day INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  verified INTEGER NOT NULL,
  cbor BLOB NOT NULL,
  opened INTEGER NOT NULL DEFAULT 0,
  acked INTEGER NOT NULL DEFAULT 0,
  UNIQUE (thread, msg_id)
) STRICT;
CREATE TABLE reply (
  number INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  thread BLOB NOT NULL REFERENCES thread (id),
  cbor BLOB NOT NULL,
  written INTEGER NOT NULL,
  read INTEGER
) STRICT;
CREATE TABLE page_upload (
  sheet INTEGER NOT NULL,
  page INTEGER NOT NULL,
  version INTEGER NOT NULL,
  slots INTEGER NOT NULL,
  note BLOB NOT NULL,
  hash BLOB NOT NULL,
  receipt BLOB,
  PRIMARY KEY (sheet, page, version)
) STRICT;
CREATE TABLE placement (
  sheet INTEGER NOT NULL,
  page INTEGER NOT NULL,
  version INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  reply BLOB NOT NULL REFERENCES reply (id),
  published INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (sheet, page, version, slot)
) STRICT;
CREATE INDEX placement_of_reply ON placement (reply);
