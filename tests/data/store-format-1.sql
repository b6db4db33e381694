-- A store as the first version of memories wrote it, with one deployment; never to be changed.
BEGIN TRANSACTION;
CREATE TABLE audit (  sequence INTEGER PRIMARY KEY AUTOINCREMENT, deployment TEXT NOT NULL, at_ms INTEGER NOT NULL,  actor TEXT NOT NULL, event TEXT NOT NULL, detail TEXT) STRICT;
INSERT INTO "audit" VALUES(1,'consensus-local-20260225-123456',1772022896000,'ann@host','deploy',NULL);
CREATE TABLE deployments (  id TEXT PRIMARY KEY, name TEXT UNIQUE, topology TEXT NOT NULL, provider TEXT NOT NULL, status TEXT NOT NULL,  goal TEXT NOT NULL, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL, generation INTEGER NOT NULL,  config TEXT, spec TEXT, choices TEXT, resources TEXT, result TEXT, notes TEXT,  lease_owner TEXT, lease_since_ms INTEGER NOT NULL DEFAULT 0, lease_expires_ms INTEGER NOT NULL DEFAULT 0,  lease_fence INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "deployments" VALUES('consensus-local-20260225-123456','colours','consensus','local','running','running',1772022896000,1772022899000,1,'{"node_specs":[{"id":"node1"},{"id":"node2"}]}','{"version":1,"topology":"consensus","nodes":[{"name":"node1","role":"member","bootstrap":{}},{"name":"node2","role":"member","bootstrap":{}}]}','{"isolation":"process","nodes":{"node1":{"address":"127.84.12.11","addresses":["127.84.12.11"]},"node2":{"address":"127.84.12.12","addresses":["127.84.12.12"]}}}','[{"key":"node/node1","type":"local.node","node":"node1","inputs":{"address":"127.84.12.11"},"depends_on":[]}]','{"leader_node":"node1","follower_nodes":["node2"]}','[]',NULL,0,0,3);
CREATE TABLE journal (  sequence INTEGER PRIMARY KEY AUTOINCREMENT,  deployment TEXT NOT NULL REFERENCES deployments(id) ON DELETE CASCADE, key TEXT NOT NULL,  operation TEXT NOT NULL, token TEXT, generation INTEGER NOT NULL, attempt INTEGER NOT NULL,  state TEXT NOT NULL, error TEXT, at_ms INTEGER NOT NULL, finished_at_ms INTEGER) STRICT;
INSERT INTO "journal" VALUES(1,'consensus-local-20260225-123456','node/node1','create','0a1b2c',1,1,'done',NULL,1772022897000,1772022898000);
CREATE TABLE resources (  deployment TEXT NOT NULL REFERENCES deployments(id) ON DELETE CASCADE, position INTEGER NOT NULL,  key TEXT NOT NULL, type TEXT NOT NULL, node TEXT, state TEXT NOT NULL, generation INTEGER NOT NULL,  token TEXT, inputs TEXT, outputs TEXT, depends_on TEXT, doubt TEXT,  PRIMARY KEY (deployment, key)) STRICT;
INSERT INTO "resources" VALUES('consensus-local-20260225-123456',1,'node/node1','local.node','node1','ready',1,'0a1b2c','{"address":"127.84.12.11"}','{"address":"127.84.12.11","instance_id":"node1"}','[]',NULL);
CREATE INDEX resources_by_position ON resources(deployment, position);
CREATE INDEX journal_by_deployment ON journal(deployment, sequence);
CREATE INDEX audit_by_deployment ON audit(deployment, sequence);
COMMIT;
PRAGMA user_version = 1;
