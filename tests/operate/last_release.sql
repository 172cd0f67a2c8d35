BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'connector_core','m001_first_tables','2026-11-28 15:06:05.164434+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'connector_core','m002_early_tickets','2026-11-28 15:06:05.187169+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'connector_core','m003_active_since','2026-11-28 15:06:05.204892+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'connector_core','m004_breakers_and_fair_lanes','2026-11-28 15:06:05.229144+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'connector_core','m005_console','2026-11-28 15:06:05.243338+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'connector_core','m006_knowledge_and_checkups','2026-11-28 15:06:05.260458+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'connector_core','m007_polled_sources','2026-11-28 15:06:05.271223+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'connector_core','m008_webhooks','2026-11-28 15:06:05.283808+00:00');
INSERT INTO "_sqlite_migrations" VALUES(9,'connector_core','m009_sources_of_set_up','2026-11-28 15:06:05.321301+00:00');
INSERT INTO "_sqlite_migrations" VALUES(10,'connector_core','m010_comments','2026-11-28 15:06:05.334279+00:00');
INSERT INTO "_sqlite_migrations" VALUES(11,'connector_core','m011_early_hints','2026-11-28 15:06:05.343600+00:00');
INSERT INTO "_sqlite_migrations" VALUES(12,'connector_core','m012_drafts','2026-11-28 15:06:05.349858+00:00');
INSERT INTO "_sqlite_migrations" VALUES(13,'connector_core','m013_refusals_by_reason','2026-11-28 15:06:05.359109+00:00');
CREATE TABLE activity (
      integration_id TEXT NOT NULL, hour TEXT NOT NULL, entries INTEGER NOT NULL, last_at TEXT NOT NULL,
      PRIMARY KEY (integration_id, hour),
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "activity" VALUES('acme-helpdesk','2026-11-28T15',20,'2026-11-28T15:06:40.494746+00:00');
CREATE TABLE answer_label (
      integration_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, label TEXT NOT NULL,
      PRIMARY KEY (integration_id, key, value),
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    ;
CREATE TABLE authorization_state (
      state TEXT PRIMARY KEY, integration_id TEXT NOT NULL, callback_url TEXT NOT NULL, expires_at TEXT NOT NULL,
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "authorization_state" VALUES('9Onz7G_bbToceaWUFUf9gsO3nUfy-UmLQBcK7_tVInQ','acme-helpdesk','http://127.0.0.1:38525/oauth/callback','2026-11-28T15:36:07.339222+00:00');
CREATE TABLE breaker (
          key TEXT PRIMARY KEY, code TEXT NOT NULL, reason TEXT NOT NULL, fix TEXT NOT NULL, since TEXT NOT NULL,
          until REAL NOT NULL, failures INTEGER NOT NULL, needs_person INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        ;
INSERT INTO "breaker" VALUES('site:jira_jsm:11223344-a1b2-4c3d-8e4f-55667788aabb','unreachable','The other side cannot be reached.','','2026-11-28T15:06:46.265168+00:00',1795878409.91068,1,0);
CREATE TABLE checkup (
          integration_id TEXT PRIMARY KEY, at TEXT NOT NULL, findings TEXT NOT NULL,
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        ;
CREATE TABLE comment (
          id INTEGER PRIMARY KEY AUTOINCREMENT, link_id INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE,
          side TEXT NOT NULL, their_id TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL,
          internal INTEGER NOT NULL, created_at TEXT NOT NULL, state TEXT NOT NULL, marker TEXT NOT NULL,
          attempted_at TEXT, written_id TEXT, UNIQUE (link_id, side, their_id)
        ) STRICT
        ;
CREATE TABLE console_session (
      token TEXT PRIMARY KEY, user TEXT NOT NULL, proof TEXT NOT NULL, form_token TEXT NOT NULL,
      created_at TEXT NOT NULL, seen_at TEXT NOT NULL, expires_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    ;
CREATE TABLE delivery (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, integration_id TEXT NOT NULL, id TEXT NOT NULL, event TEXT NOT NULL,
      matched INTEGER NOT NULL, received_at TEXT NOT NULL, UNIQUE (integration_id, id),
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT
    ;
INSERT INTO "delivery" VALUES(1,'acme-helpdesk','834a2ee0-8ea5-4e5f-bff8-cc5ffc4a9c4e','jira:issue_created',1,'2026-11-28T15:06:23.108312+00:00');
INSERT INTO "delivery" VALUES(2,'acme-helpdesk','6482e029-b306-4702-a6b6-a834722ced63','jira:issue_created',1,'2026-11-28T15:06:27.263794+00:00');
INSERT INTO "delivery" VALUES(3,'acme-helpdesk','fb5e47c1-d4c8-46e0-ab84-dee13c5e7169','jira:issue_updated',1,'2026-11-28T15:06:27.349316+00:00');
INSERT INTO "delivery" VALUES(4,'acme-helpdesk','d37ddcfc-e446-409f-9cb0-60c226a7a261','jira:issue_updated',1,'2026-11-28T15:06:27.598992+00:00');
INSERT INTO "delivery" VALUES(5,'acme-helpdesk','c0533ab0-23e2-460f-94ef-14b715323d03','jira:issue_created',1,'2026-11-28T15:06:27.905168+00:00');
INSERT INTO "delivery" VALUES(6,'acme-helpdesk','0802f022-2eaa-4551-b646-2ff30ea31ba3','jira:issue_updated',1,'2026-11-28T15:06:28.001159+00:00');
INSERT INTO "delivery" VALUES(7,'acme-helpdesk','80fb0093-315d-4df9-9f50-a0364bdd91fb','jira:issue_created',1,'2026-11-28T15:06:28.492590+00:00');
INSERT INTO "delivery" VALUES(8,'acme-helpdesk','adb19212-3e11-4651-868f-780b1421ed12','jira:issue_deleted',1,'2026-11-28T15:06:28.611342+00:00');
INSERT INTO "delivery" VALUES(9,'acme-helpdesk','ae36e9a4-a86e-4c6f-b166-63670369785e','jira:issue_created',1,'2026-11-28T15:06:40.215172+00:00');
CREATE TABLE early_hint (
          integration_id TEXT NOT NULL, ticket_id TEXT NOT NULL, received_at TEXT NOT NULL,
          PRIMARY KEY (integration_id, ticket_id),
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        ;
CREATE TABLE early_ticket (integration_id TEXT NOT NULL, ticket_id TEXT NOT NULL, ticket TEXT NOT NULL, received_at TEXT NOT NULL, PRIMARY KEY (integration_id, ticket_id), FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
CREATE TABLE event (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, organization TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
      incident_id TEXT NOT NULL, occurred_at TEXT NOT NULL, received_at TEXT NOT NULL, UNIQUE (organization, id)
    ) STRICT
    ;
INSERT INTO "event" VALUES(1,'acme','poll-349ad6d4-1-45df83c8dee03d5c58-opened','incident.opened','af115b60-71f3-46aa-9d52-19964c670375','2026-11-28T15:06:21.157000+00:00','2026-11-28T15:06:22.640731+00:00');
INSERT INTO "event" VALUES(2,'acme','poll-349ad6d4-2-58cae6c5968410569a-opened','incident.opened','69e1b3ce-1575-47c6-8e9e-bc482ad137b9','2026-11-28T15:06:27.071000+00:00','2026-11-28T15:06:27.160753+00:00');
INSERT INTO "event" VALUES(3,'acme','poll-349ad6d4-3-58cae6c5968410569a-updated','incident.updated','69e1b3ce-1575-47c6-8e9e-bc482ad137b9','2026-11-28T15:06:27.435000+00:00','2026-11-28T15:06:27.478113+00:00');
INSERT INTO "event" VALUES(4,'acme','poll-349ad6d4-4-b65ccff879abd0d846-opened','incident.opened','20dbac95-379b-40a9-b163-ddce465050df','2026-11-28T15:06:27.584000+00:00','2026-11-28T15:06:27.796412+00:00');
INSERT INTO "event" VALUES(5,'acme','poll-349ad6d4-5-b65ccff879abd0d846-resolved','incident.resolved','20dbac95-379b-40a9-b163-ddce465050df','2026-11-28T15:06:28.094000+00:00','2026-11-28T15:06:28.365213+00:00');
INSERT INTO "event" VALUES(6,'acme','poll-349ad6d4-5-a26284b135750c3ec2-opened','incident.opened','d10b2fe0-9a74-497a-9a77-d1346e3e1f98','2026-11-28T15:06:28.098000+00:00','2026-11-28T15:06:28.365213+00:00');
INSERT INTO "event" VALUES(7,'acme','poll-349ad6d4-6-5ed1d52644182ec0ab-opened','incident.opened','11b1360c-c64c-4de1-b3b5-c45797bee1a8','2026-11-28T15:06:39.810000+00:00','2026-11-28T15:06:40.091240+00:00');
INSERT INTO "event" VALUES(8,'acme','poll-349ad6d4-7-5ed1d52644182ec0ab-updated','incident.updated','11b1360c-c64c-4de1-b3b5-c45797bee1a8','2026-11-28T15:06:40.336000+00:00','2026-11-28T15:06:40.387167+00:00');
CREATE TABLE handover (
          token TEXT PRIMARY KEY, integration_id TEXT, organization TEXT, step TEXT NOT NULL, made_by TEXT NOT NULL,
          created_at TEXT NOT NULL, expires_at TEXT NOT NULL, used_at TEXT,
          CHECK ((integration_id IS NULL) != (organization IS NULL)),
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE,
          FOREIGN KEY (organization) REFERENCES source (organization) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        ;
CREATE TABLE hook_fact (
          integration_id TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, last_at TEXT NOT NULL,
          PRIMARY KEY (integration_id, name),
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        ;
INSERT INTO "hook_fact" VALUES('acme-helpdesk','signed:612f644c96c8',9,'2026-11-28T15:06:40.215172+00:00');
CREATE TABLE hook_registration (
          integration_id TEXT PRIMARY KEY, body TEXT, problem TEXT NOT NULL, fix TEXT NOT NULL,
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        ;
CREATE TABLE hook_token (route TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "hook_token" VALUES('jira',X'674141414141427243753374336C493742316155306F7064324A556F4E50395A503069515746464A704C4674393062786855464F4D4F784234736B4F7463313262322D643278445F75797A675772514137736A45673053634239727A794E52734F4B76305750396D66453751344A643754656F68366F5A41614D586732716370324E78416E4A57324F493738');
CREATE TABLE incident (
      organization TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL, occurred_at TEXT NOT NULL,
      event_rank INTEGER NOT NULL, PRIMARY KEY (organization, id)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "incident" VALUES('acme','11b1360c-c64c-4de1-b3b5-c45797bee1a8','{"id":"11b1360c-c64c-4de1-b3b5-c45797bee1a8","title":"Not delivered yet","priority":"moderate","status":"active","issue":"user","opened_at":"2026-11-28T15:06:39.810000Z","updated_at":"2026-11-28T15:06:40.336000Z","device":{"id":"0b9f7a54-31c4-4a55-9a1e-3f2f6f9e7d01","name":"Lobby display","model":"X-200","serial_number":"SN1","mac":"00:1B:44:11:3A:B7","firmware":"1.4.2","vendor":"Acme Displays"},"location":{"id":"3220","name":"Lobby","path":"Acme/New York/Lobby","address":"New York, NY, USA","timezone":"America/New_York"}}','active','2026-11-28T15:06:40.336000+00:00',1);
INSERT INTO "incident" VALUES('acme','20dbac95-379b-40a9-b163-ddce465050df','{"id":"20dbac95-379b-40a9-b163-ddce465050df","title":"Over","priority":"moderate","status":"closed","issue":"user","opened_at":"2026-11-28T15:06:27.584000Z","updated_at":"2026-11-28T15:06:28.094000Z","device":{"id":"0b9f7a54-31c4-4a55-9a1e-3f2f6f9e7d01","name":"Lobby display","model":"X-200","serial_number":"SN1","mac":"00:1B:44:11:3A:B7","firmware":"1.4.2","vendor":"Acme Displays"},"location":{"id":"3220","name":"Lobby","path":"Acme/New York/Lobby","address":"New York, NY, USA","timezone":"America/New_York"}}','closed','2026-11-28T15:06:28.094000+00:00',2);
INSERT INTO "incident" VALUES('acme','69e1b3ce-1575-47c6-8e9e-bc482ad137b9','{"id":"69e1b3ce-1575-47c6-8e9e-bc482ad137b9","title":"Renamed on the platform","priority":"moderate","status":"active","issue":"user","opened_at":"2026-11-28T15:06:27.071000Z","updated_at":"2026-11-28T15:06:27.435000Z","device":{"id":"0b9f7a54-31c4-4a55-9a1e-3f2f6f9e7d01","name":"Lobby display","model":"X-200","serial_number":"SN1","mac":"00:1B:44:11:3A:B7","firmware":"1.4.2","vendor":"Acme Displays"},"location":{"id":"3220","name":"Lobby","path":"Acme/New York/Lobby","address":"New York, NY, USA","timezone":"America/New_York"}}','active','2026-11-28T15:06:27.435000+00:00',1);
INSERT INTO "incident" VALUES('acme','af115b60-71f3-46aa-9d52-19964c670375','{"id":"af115b60-71f3-46aa-9d52-19964c670375","title":"In step","priority":"moderate","status":"active","issue":"user","opened_at":"2026-11-28T15:06:21.157000Z","updated_at":"2026-11-28T15:06:21.157000Z","device":{"id":"0b9f7a54-31c4-4a55-9a1e-3f2f6f9e7d01","name":"Lobby display","model":"X-200","serial_number":"SN1","mac":"00:1B:44:11:3A:B7","firmware":"1.4.2","vendor":"Acme Displays"},"location":{"id":"3220","name":"Lobby","path":"Acme/New York/Lobby","address":"New York, NY, USA","timezone":"America/New_York"}}','active','2026-11-28T15:06:21.157000+00:00',0);
INSERT INTO "incident" VALUES('acme','d10b2fe0-9a74-497a-9a77-d1346e3e1f98','{"id":"d10b2fe0-9a74-497a-9a77-d1346e3e1f98","title":"Without its ticket","priority":"moderate","status":"active","issue":"user","opened_at":"2026-11-28T15:06:28.098000Z","updated_at":"2026-11-28T15:06:28.098000Z","device":{"id":"0b9f7a54-31c4-4a55-9a1e-3f2f6f9e7d01","name":"Lobby display","model":"X-200","serial_number":"SN1","mac":"00:1B:44:11:3A:B7","firmware":"1.4.2","vendor":"Acme Displays"},"location":{"id":"3220","name":"Lobby","path":"Acme/New York/Lobby","address":"New York, NY, USA","timezone":"America/New_York"}}','active','2026-11-28T15:06:28.098000+00:00',0);
CREATE TABLE integration (
      id TEXT PRIMARY KEY, organization TEXT NOT NULL, plugin TEXT NOT NULL, origin TEXT NOT NULL,
      state TEXT NOT NULL, answers TEXT NOT NULL, secrets BLOB NOT NULL, grant_sealed BLOB,
      problem_code TEXT NOT NULL DEFAULT '', problem TEXT NOT NULL DEFAULT '',
      created_at TEXT NOT NULL, activated_at TEXT, last_delivery_at TEXT, seq INTEGER NOT NULL
    , active_since TEXT, rules TEXT NOT NULL DEFAULT '{}', comments TEXT NOT NULL DEFAULT '{}', draft TEXT) STRICT
    ;
INSERT INTO "integration" VALUES('acme-helpdesk','acme','jira_jsm','yaml','active','{"close_status":"10002","request_type":"25","service_desk":"10"}',X'674141414141427243753374597351336239335944724163486543655455627A68476C6E73576E485F385F6E736E4F566B52776C506B44374F31527047677148473753537455536C33386D4B414A507A61776959595267794B6C79566A334C4E47474F4949576B635F35785A716E484D764772716A3255543543312D43527370554B634C6B6E766E44746755667655673474515839594162754573676D5139326442776450307A566477584F596E534A6376725654566B3D',X'674141414141427243753374485F507533316F335F6C6535765A74334A63464759386B546B314D5145645A4261506969482D326A443472785F72675533507869562D47702D386C496A6E6733327A464B6F56724B776D4E2D503137317258653772355F354D714C3562485556306B474C376C62684248664352676C7979782D6E2D7552505F734463384A596A7A486F4B565F7350654C5053784D4C4F786C3676434B346F79374E73395F374D4F747A7A5A6B6E4C504F42627962394536505F7232484E7A706F6B54526D7748326D797052596F5465685550714435594E443451706C3336617278556A6233796B3364315037334537557676383936365A36535949526942787863496D512D6A2D692D483141635764396D3846656E73666B576D635F5F42704970547167394977506E7A4641694A4B4B4D72525658676542527A3162774D38537350714E313378437669354F3936434870362D7A6845574E6F57336B6D2D554C424D45666953445671446F4D375549587A417067587532684E77473451675477652D7239555F5677335051457964324C3558573746696B4C6D30464C41485A746F3373714E536A61344634524A4F6261314A4930667563374D303662784E2D4E665572547A37487A5F796D6A6441744D63645A656238364F3631644433766A55465053364A486C756166656B7853726D6D62784B5965514E685074634147734C38465135496C5152303751436E6A64394D6B674562544A3433716E305644384459676C6744386F4C426869654F4E344C3469746B325076565934564951436B6C5165376769544A5054736268644859485849796F38776D546A4438544554645A565136424F62302D4E2D646F6E6141525634726169485263455151554D704B55434856436774385A354E447436306B37727A562D4542626839657951666B6F4474796C687244533848394A6F666E4F3138615A36454E6A314164636B495A5132794B6779627953306E4E464F7545754937684647377A396A357269657536593745504F504253426F68684D445234366832356E47797873675738364E676A755F75757A2D765476484D76786E6265693459754250304A412D6C53457542432D6D76795A48674A64516B746A68626A69725570386F4A6A55674B494551316378455A3449766D6765386A5F45314E362D7431444A46313367333754474E53764661426F46315F72553165794E6E5070684674495F742D576B4E4638693554593448334C57354C4F656669524559513969614C5855474671704948547A4B71383367644E6D5F337163446A674D504B48346567794D4B5A53574632547176783263566A7A565134737639783366305341736367562D366A43784D33714D584E754C6B504479675656793766705253305A45474175614D724A695A576C6E3561333338676D70355A744F3970524C695948347471716B4C7A583336783548593442623568576C6268615459484130537A6E4D34303D','','','2026-11-28T15:06:06.284384+00:00','2026-11-28T15:06:21.075796+00:00','2026-11-28T15:06:40.215172+00:00',1,'2026-11-28T15:06:21.075796+00:00','{}','{"since":null,"to_incident":"none","to_ticket":"none"}',NULL);
CREATE TABLE knowledge (
          integration_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at TEXT NOT NULL,
          PRIMARY KEY (integration_id, key),
          FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        ;
INSERT INTO "knowledge" VALUES('acme-helpdesk','priorities 10/25','[["1","Highest"],["2","High"],["3","Medium"],["4","Low"],["5","Lowest"]]','2026-11-28T15:06:23.010152+00:00');
CREATE TABLE lane (
      link_id INTEGER PRIMARY KEY REFERENCES link (id) ON DELETE CASCADE,
      due_at REAL, wakes INTEGER NOT NULL DEFAULT 0, boot TEXT, fence INTEGER NOT NULL DEFAULT 0
    , integration_id TEXT NOT NULL DEFAULT '', breaker TEXT, parked_at REAL) STRICT
    ;
INSERT INTO "lane" VALUES(1,NULL,1,NULL,1,'acme-helpdesk',NULL,NULL);
INSERT INTO "lane" VALUES(2,NULL,3,NULL,3,'acme-helpdesk',NULL,NULL);
INSERT INTO "lane" VALUES(3,NULL,3,NULL,3,'acme-helpdesk',NULL,NULL);
INSERT INTO "lane" VALUES(4,NULL,1,NULL,1,'acme-helpdesk',NULL,NULL);
INSERT INTO "lane" VALUES(5,NULL,3,NULL,5,'acme-helpdesk','site:jira_jsm:11223344-a1b2-4c3d-8e4f-55667788aabb',1.79587840782274508477e+09);
CREATE TABLE link (
      id INTEGER PRIMARY KEY AUTOINCREMENT, organization TEXT NOT NULL, integration_id TEXT NOT NULL,
      incident_id TEXT NOT NULL, marker TEXT NOT NULL UNIQUE, settings TEXT NOT NULL,
      base TEXT NOT NULL DEFAULT '{}', ticket TEXT, ticket_id TEXT, ticket_key TEXT, ticket_updated TEXT,
      is_open INTEGER NOT NULL DEFAULT 1, attempted_at TEXT, attempted_incident TEXT,
      state TEXT NOT NULL, code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', fix TEXT NOT NULL DEFAULT '',
      since TEXT NOT NULL, next_try TEXT, attempts INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, to_ticket_since TEXT, to_incident_since TEXT, over_at TEXT, hints INTEGER NOT NULL DEFAULT 0, comment_looks INTEGER NOT NULL DEFAULT 0, comments_at TEXT,
      UNIQUE (integration_id, incident_id), UNIQUE (integration_id, ticket_id),
      FOREIGN KEY (integration_id) REFERENCES integration (id),
      FOREIGN KEY (organization, incident_id) REFERENCES incident (organization, id)
    ) STRICT
    ;
INSERT INTO "link" VALUES(1,'acme','acme-helpdesk','af115b60-71f3-46aa-9d52-19964c670375','cnx-0950e5ae077458de2980','{"close_status":"10002","request_type":"25","service_desk":"10"}','{"description":{"lost":[],"ticket_unknown":false},"priority":{"incident":"moderate","lost":[],"ticket":"moderate","ticket_unknown":false},"status":{"incident":"open","lost":[],"ticket":"open","ticket_unknown":false},"title":{"incident":"In step","lost":[],"ticket":"In step","ticket_unknown":false}}','{"id":"10100","key":"SUP-1","url":"http://127.0.0.1:42841/browse/SUP-1","title":"In step","priority":"moderate","priority_name":"Medium","status":"Waiting for support","done":false,"updated":"2026-11-28T15:06:23.053000Z","place":"SUP","unknown":[]}','10100','SUP-1','2026-11-28T15:06:23.053000+00:00',1,NULL,NULL,'in_sync','','','','2026-11-28T15:06:23.128760+00:00',NULL,0,'2026-11-28T15:06:22.640731+00:00',NULL,NULL,NULL,0,0,NULL);
INSERT INTO "link" VALUES(2,'acme','acme-helpdesk','69e1b3ce-1575-47c6-8e9e-bc482ad137b9','cnx-935476e73e7861a1a347','{"close_status":"10002","request_type":"25","service_desk":"10"}','{"description":{"lost":[],"ticket_unknown":false},"priority":{"incident":"moderate","lost":[],"ticket":"moderate","ticket_unknown":false},"status":{"incident":"open","lost":[],"ticket":"open","ticket_unknown":false},"title":{"incident":"Renamed on the platform","lost":[],"ticket":"Renamed on the platform","ticket_unknown":false}}','{"id":"10101","key":"SUP-2","url":"http://127.0.0.1:42841/browse/SUP-2","title":"Renamed on the platform","priority":"moderate","priority_name":"Medium","status":"Waiting for support","done":false,"updated":"2026-11-28T15:06:27.577000Z","place":"SUP","unknown":[]}','10101','SUP-2','2026-11-28T15:06:27.577000+00:00',1,NULL,NULL,'in_sync','','','','2026-11-28T15:06:27.253305+00:00',NULL,0,'2026-11-28T15:06:27.160753+00:00',NULL,NULL,NULL,0,0,NULL);
INSERT INTO "link" VALUES(3,'acme','acme-helpdesk','20dbac95-379b-40a9-b163-ddce465050df','cnx-1464d9671ecb520cc49e','{"close_status":"10002","request_type":"25","service_desk":"10"}','{"description":{"lost":[],"ticket_unknown":false},"priority":{"incident":"moderate","lost":[],"ticket":"moderate","ticket_unknown":false},"status":{"incident":"closed","lost":[],"replaced":"open","replaced_at":"2026-11-28T15:06:28.046221Z","ticket":"closed","ticket_unknown":false},"title":{"incident":"Over","lost":[],"ticket":"Over","ticket_unknown":false}}','{"id":"10102","key":"SUP-3","url":"http://127.0.0.1:42841/browse/SUP-3","title":"Over","priority":"moderate","priority_name":"Medium","status":"Resolved","done":true,"updated":"2026-11-28T15:06:27.982000Z","place":"SUP","unknown":[]}','10102','SUP-3','2026-11-28T15:06:27.982000+00:00',0,NULL,NULL,'in_sync','','','','2026-11-28T15:06:27.889162+00:00',NULL,0,'2026-11-28T15:06:27.796412+00:00',NULL,NULL,'2026-11-28T15:06:28.126132+00:00',0,0,NULL);
INSERT INTO "link" VALUES(4,'acme','acme-helpdesk','d10b2fe0-9a74-497a-9a77-d1346e3e1f98','cnx-f30beb7bbe6eace2402b','{"close_status":"10002","request_type":"25","service_desk":"10"}','{"description":{"lost":[],"ticket_unknown":false},"priority":{"incident":"moderate","lost":[],"ticket":"moderate","ticket_unknown":false},"status":{"incident":"open","lost":[],"ticket":"open","ticket_unknown":false},"title":{"incident":"Without its ticket","lost":[],"ticket":"Without its ticket","ticket_unknown":false}}','{"id":"10103","key":"SUP-4","url":"http://127.0.0.1:42841/browse/SUP-4","title":"Without its ticket","priority":"moderate","priority_name":"Medium","status":"Waiting for support","done":false,"updated":"2026-11-28T15:06:28.449000Z","place":"SUP","unknown":[]}','10103','SUP-4','2026-11-28T15:06:28.449000+00:00',0,NULL,NULL,'gone','ticket_deleted','The ticketing system says that the ticket was deleted.','Choose: connector recreate 4 (a new ticket), connector unlink 4, or connector discard 4 --yes (stop).','2026-11-28T15:06:28.611342+00:00',NULL,0,'2026-11-28T15:06:28.365213+00:00',NULL,NULL,'2026-11-28T15:06:28.611342+00:00',0,0,NULL);
INSERT INTO "link" VALUES(5,'acme','acme-helpdesk','11b1360c-c64c-4de1-b3b5-c45797bee1a8','cnx-aadadb393747e3677877','{"close_status":"10002","request_type":"25","service_desk":"10"}','{"description":{"lost":[],"ticket_unknown":false},"priority":{"incident":"moderate","lost":[],"ticket":"moderate","ticket_unknown":false},"status":{"incident":"open","lost":[],"ticket":"open","ticket_unknown":false},"title":{"incident":"Changed at the end","lost":[],"ticket":"Changed at the end","ticket_unknown":false}}','{"id":"10104","key":"SUP-5","url":"http://127.0.0.1:42841/browse/SUP-5","title":"Changed at the end","priority":"moderate","priority_name":"Medium","status":"Waiting for support","done":false,"updated":"2026-11-28T15:06:40.167000Z","place":"SUP","unknown":[]}','10104','SUP-5','2026-11-28T15:06:40.167000+00:00',1,NULL,NULL,'waiting','unreachable','The other side cannot be reached.','','2026-11-28T15:06:40.494746+00:00','2026-11-28T15:06:49.910680+00:00',2,'2026-11-28T15:06:40.091240+00:00','2026-11-28T15:06:40.387167+00:00',NULL,NULL,0,0,NULL);
CREATE TABLE link_count (
      integration_id TEXT NOT NULL, state TEXT NOT NULL, links INTEGER NOT NULL, PRIMARY KEY (integration_id, state)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "link_count" VALUES('acme-helpdesk','gone',1);
INSERT INTO "link_count" VALUES('acme-helpdesk','in_sync',3);
INSERT INTO "link_count" VALUES('acme-helpdesk','waiting',1);
CREATE TABLE link_text (
      link_id INTEGER PRIMARY KEY REFERENCES link (id) ON DELETE CASCADE, text TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "link_text" VALUES(1,'af115b60-71f3-46aa-9d52-19964c670375
In step
SUP-1
10100
In step');
INSERT INTO "link_text" VALUES(2,'69e1b3ce-1575-47c6-8e9e-bc482ad137b9
Renamed on the platform
SUP-2
10101
Renamed on the platform');
INSERT INTO "link_text" VALUES(3,'20dbac95-379b-40a9-b163-ddce465050df
Over
SUP-3
10102
Over');
INSERT INTO "link_text" VALUES(4,'d10b2fe0-9a74-497a-9a77-d1346e3e1f98
Without its ticket
SUP-4
10103
Without its ticket');
INSERT INTO "link_text" VALUES(5,'11b1360c-c64c-4de1-b3b5-c45797bee1a8
Not delivered yet
SUP-5
10104
Changed at the end');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('config_apply_answer','{"wish": 0, "changes": [], "restart": [], "problem": ""}');
INSERT INTO "meta" VALUES('config_taken_over','gAAAAABrCu3f50sgWX5RRr3mkgeY12Hdd8e7qFvDCHzJJn6QMzlKJJnJa-CW2IHOn6Jv5gjBiZQwgoGDsH-euK54EOk2_G4pseZsodrA3qWWzaeB_QzWI1XIYlKtVOR5aV65VAfpU_fZutux1khKOfvewhaoxWABdQ2SGMIehUftGrHe0EAEfuvSEPJSXQPjQ8ca0AtOUKd-PdeYM9R1dcym62slpIvP7jgBhjv6bDeWmmoFFuCCpRgXkThTkJRjJHDHPhQBirpv9Q5IXeYfWiCSHmqh2X4qJoYR5IFdY9t60W-nYOLtLFJIDtZUoDG161JjpEAZ2AmvKqSE5HA9gJkcMFT5KI1tx0wkOLhLuygpvzha3nW1eAnHwq31QgEZTfz8MmRHUFplB1hfUh6BUck2eX9Y-W2pa_SpkN95nnFWCS8Rou_EFrA7RO5FOqUlJ6OwXmyTQaU8uhqt8RMPuMKvo1YTbPrXAYWiMHf5x0GrSwY8JUbouB5YzoQJZAxOrU9NGJ6wOGPhP_iBa1GJlSoX2l6lLgGsTvvQ180eDyZJbQAd_aCRwjIwyj3IjNR6Sv8F5G5lw5umFF3SyZ60TDm3-rsrAJ7G3GUAxuKcDj2Z5XpsR1Jb3_yYX3LOdR_imUEGPlS7bqZdaBwmwfBrTi17gaptDPpNf-xvwNfk5hgNpapfF4gfNo_KKOgJixqUi7_1rp99GF8rXoryl7FpQeYrTJUL-xFB5x6XxqkHUNlry580eHg_FMoEz-bNsPeWmmcXDAlTqZZSVVtBXJiyKRAPcYUjY00hmu6sFlTMuzzAlIT4WqB4mRbBt_kIPb18SZ-IWTBEiisq4dBd6TcvGRB8wZE7jvUynYKneGErh6eZX8wqaW34bgygiUmAQHSPc9ZXrAalupAfWxDbpBsTH-JN4DfegSwkDY2k8aKGUE8QmbvI6Q-0TCPp4vzOASaCthljhWupmfQjq2ELFL_kl9WhoyJx6sX9KHM6mkhfcqLmxTG_653GAXWzm9yuHIm1lePVsKYBsXFWigU4zH4zvFamuDxjxQipLiVyCYeTl2_FfRfdiNY3IoU-O07Jri7OJaH2VZqWw3glLEGVNf6f2ah8Vsf2-C8ouswNGhvikIFeUG6VPdkzAZs8fDm4LWHIV4Ec8v4WpKpSfeXBAdTQyRqc03BT0Vyh_qy4ZfpIKlGLLiB3LMDEkWfSW_BHAGO1sYxAzAWDIZ2msi-wCzyK2TbHZuihzfXLLm3bV_bqhDb6Q-PMqrcOd3Rui9FPuuiFAZRrHXD1FjlsM51bi3HIRcgY8ZEGidF2FCaTrNK_ue76TmLnCLLzjEY2N7Xe8DpDKIeDN5dVDH5uKwuPTiEH6PT8hJDoPeR-PtmVLpq_7CIKWxr4tC_xLSMxbhu19kCFEE52Sdscutay4HgPSI74N1mXmyABvr1LgsOCHmWIMtVdQwTDR-CnT-jIpXiHzFnZParWyvAUakIFHH5DBkDVdiyVoy9izedymmcrhg9knSzqz3uQU9VfmGu3XzhRMEbTrgNo--eoTOyWB7i_Rq83AHo0lIw6dfDtU2auiNAh7P47zGPoatspkMmTJ087aZggbunz4kVcS4IOeXZ5kpZDOGgn1kMXHMUy6pRXorxe-mVh34IfKwEG0Tuox8rfAKOBEUxMKHPrGFq_1Gm7Clw_NK1qMV5Cnl4kqlZzUN4Nl5XbbVeb2PY5kgdimtBGHKvAJsWY2PyQCPWaKTydP0Ms3P7ZeLojR_w9AAX8JZwIiCCXdRuA486KWhPtdZPezaHgLEYv1LTGB4-DSw-814zoWQxsLZx3sj0R4dn5Z7F3SNvXPCzadP-1lO-5vUZ0wKebYvqHOy85NrEcMOUUP_K1bHAj5ay4fwZaUulITX0UEKK-hzp50Vf4Aqu8WQxfhguB1V0tp2EP0kowp1lTgNN20h27JmBKW3-ERe7-Ps3Nsaa3y12CW5FMjA_IzaAp3Cy0rI8x-JD6YcYZfskfHCEiKgtNVyGPqpK3ucxakfnNcpe6CxnQ2MKZOg66AuFLA1n4bcF30foyShNtonrLS7EILf4VsJdlPXLfwMjSaGp1DjnrxJG7-g_kd5SNhsz7LcsMttAJIK32l8Md1CUnnlPAc3Qn6QBkQYdzB_YN_tJuB_JgD7uPdEPNwU0ca3EyBCnBDd8pjt9JuIQwfDSDRpNHT4H8mv570HC7x0PibVqSp0JC8MvcfmySt98vCE0T6fR1QAnjewbTrZ0hniNFYdZOqQC2p9Vt-FHwLeX7sj6O7Ql49VsvmBDEoPH9Cy48t3w59hgNEp_SWaghsl9Xd_SoaN7Y4FIzDYVTv86YfPK2wZX7dv4JnF5fMEN63XYViXkHhCAqlu5NN7YOGTBJgIYcsDxJMJrrFz_i4w88eROlGBqZ1WCvZnbgNzWm6dGTRE4khT_t-3pNI9NRWTYEAT5xat32TSHIA-gM1A4TJ1dxMt2h7QLRpyyumjIOcxoPkVEb2Y5EGfkplQLo-gdw-qRJRN3c-w2A2Q0_pHnicMWKk7YqqKOFkWyYqK2Fo-mpTFN7pYnKDK2-FJ8FPyaXpY_EgaqSBT7g0oX52hBSCgL7OwrtQKY2EzvY0KjAfiVRDgrQI_bJbXDZCEVcVlYzyvCWsQsxb_E2oULTi_4jUwWix2J8_U2B7H2gde1oLLVkKUSalANNuv4vx84hviCUN-46vOB2YXfa0Xjc-MW5-7sm3tKaZyDNL-S7eiyz6VpqHiRJjFKILMvIJ2LdiI9Z9dbdq-5jbYNBm2utW5tqjZl7l6hdX_3Mleb9-uXs4I-VBNcnW5Dgt8ktcllqW07f0uCPXf2EdrhZwyaFPpHrFDyhAW0VX3tyAZ2Rd-xDNtJZwyJjC1YtWLmkFwZ1eknb_eTgrynfdkvLUnMw9-xXOdwOdHRzAPiquir3p0v-KySFm8mBMR5T4CBXf453YttZs9Y1RjTk4B4A8yz1U-Ftfwn1DSht4tOBj9G7Vz3YjG80ZeJoDxTq2ueN9MKbHN-fdiSbbwzN5TwKfUEfOQ==');
INSERT INTO "meta" VALUES('integrations_version','4');
INSERT INTO "meta" VALUES('life','6');
INSERT INTO "meta" VALUES('life_at','2026-11-28T15:06:51.865787+00:00');
INSERT INTO "meta" VALUES('life_doubts','{"before": "2026-11-28T15:06:06.248957+00:00", "since": null, "until": "2026-11-28T15:06:06.248957+00:00"}');
INSERT INTO "meta" VALUES('secret_key_check','gAAAAABrCu3ebRLQOWA1DKZsP8UhiofPSTpQe1ZQrHRMrx-qKDqEXANL4vR9MxyFSs7pukWOUWqFVOxghfBI0qHAHn_BhrO1lIV82TA5m29qcgNtQyRVEbE=');
INSERT INTO "meta" VALUES('writability_proofs','1');
CREATE TABLE refused_delivery (
          route TEXT NOT NULL, code TEXT NOT NULL, count INTEGER NOT NULL, last_at TEXT NOT NULL,
          PRIMARY KEY (route, code)
        ) STRICT, WITHOUT ROWID
        ;
CREATE TABLE run (
      id INTEGER PRIMARY KEY AUTOINCREMENT, integration_id TEXT NOT NULL, kind TEXT NOT NULL, started_at TEXT NOT NULL,
      ended_at TEXT NOT NULL, outcome TEXT NOT NULL, seen INTEGER NOT NULL, changed INTEGER NOT NULL,
      detail TEXT NOT NULL, FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT
    ;
INSERT INTO "run" VALUES(1,'acme-helpdesk','reconcile_full','2026-11-28T15:06:21.737712+00:00','2026-11-28T15:06:21.738028+00:00','ok',0,0,'');
INSERT INTO "run" VALUES(2,'acme-helpdesk','reconcile_full','2026-11-28T15:06:37.018964+00:00','2026-11-28T15:06:38.100365+00:00','ok',3,0,'');
CREATE TABLE source (
          organization TEXT PRIMARY KEY, plugin TEXT NOT NULL, answers TEXT NOT NULL, secrets BLOB NOT NULL,
          created_at TEXT NOT NULL
        ) STRICT
        ;
CREATE TABLE source_cursor (
          organization TEXT PRIMARY KEY, plugin TEXT NOT NULL, cursor TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "source_cursor" VALUES('acme','xyte','{"version":1,"line":"349ad6d4","number":7,"tenant":"07a18cac-b626-49ef-83f0-8cda7a01ebcd","key":"e66267520c22ce35","looked":1795878400.337204,"before":1795878400.037016,"entries":{"af115b60-71f3-46aa-9d52-19964c670375":["t","88a5f6.64013b.6b0ff1.9a164d",1795878381.157,1795878381.157],"69e1b3ce-1575-47c6-8e9e-bc482ad137b9":["t","b7d4a7.64013b.6b0ff1.9a164d",1795878387.071,1795878387.435],"d10b2fe0-9a74-497a-9a77-d1346e3e1f98":["t","7ba38a.64013b.6b0ff1.9a164d",1795878388.098,1795878388.098],"11b1360c-c64c-4de1-b3b5-c45797bee1a8":["t","ff1d5f.64013b.6b0ff1.9a164d",1795878399.81,1795878400.336]},"over":{"20dbac95-379b-40a9-b163-ddce465050df":1795878388.335561}}');
CREATE TABLE source_label (
          organization TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, label TEXT NOT NULL,
          PRIMARY KEY (organization, key, value),
          FOREIGN KEY (organization) REFERENCES source (organization) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        ;
CREATE TABLE source_state (
          organization TEXT PRIMARY KEY, plugin TEXT NOT NULL, looked_at TEXT NOT NULL, worked_at TEXT,
          outcome TEXT NOT NULL, reason TEXT NOT NULL, fix TEXT NOT NULL, since TEXT NOT NULL, open_incidents INTEGER,
          account_name TEXT NOT NULL, findings TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        ;
INSERT INTO "source_state" VALUES('acme','xyte','2026-11-28T15:06:51.733185+00:00','2026-11-28T15:06:51.733185+00:00','ok','','','2026-11-28T15:06:21.736289+00:00',4,'Acme','[]');
CREATE TABLE timeline (
      id INTEGER PRIMARY KEY AUTOINCREMENT, link_id INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE,
      at TEXT NOT NULL, kind TEXT NOT NULL, side TEXT NOT NULL, text TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "timeline" VALUES(1,1,'2026-11-28T15:06:22.640731+00:00','incident_opened','incident','The incident was opened.','{"event":"poll-349ad6d4-1-45df83c8dee03d5c58-opened","occurred_at":"2026-11-28T15:06:21.157000+00:00"}');
INSERT INTO "timeline" VALUES(2,1,'2026-11-28T15:06:23.087343+00:00','ticket_created','ticket','Ticket SUP-1 was created.','{"note":"","ticket":"SUP-1"}');
INSERT INTO "timeline" VALUES(3,2,'2026-11-28T15:06:27.160753+00:00','incident_opened','incident','The incident was opened.','{"event":"poll-349ad6d4-2-58cae6c5968410569a-opened","occurred_at":"2026-11-28T15:06:27.071000+00:00"}');
INSERT INTO "timeline" VALUES(4,2,'2026-11-28T15:06:27.241406+00:00','ticket_created','ticket','Ticket SUP-2 was created.','{"note":"","ticket":"SUP-2"}');
INSERT INTO "timeline" VALUES(5,2,'2026-11-28T15:06:27.349316+00:00','ticket_changed','ticket','The ticket changed (jira:issue_updated).','{"changed_by":"Hana Helper (title)","title":["With a history","Renamed by an agent"]}');
INSERT INTO "timeline" VALUES(6,2,'2026-11-28T15:06:27.466097+00:00','incident_written','incident','The title was carried to the incident.','{"conflict":false,"field":"title","incident":"With a history","reason":"the ticket changed","ticket":"Renamed by an agent"}');
INSERT INTO "timeline" VALUES(7,2,'2026-11-28T15:06:27.478113+00:00','incident_updated','incident','The incident was updated.','{"event":"poll-349ad6d4-3-58cae6c5968410569a-updated","occurred_at":"2026-11-28T15:06:27.435000+00:00"}');
INSERT INTO "timeline" VALUES(8,2,'2026-11-28T15:06:27.592043+00:00','ticket_written','ticket','The title was carried to the ticket.','{"conflict":false,"field":"title","incident":"Renamed on the platform","reason":"the incident changed","ticket":"Renamed by an agent"}');
INSERT INTO "timeline" VALUES(9,3,'2026-11-28T15:06:27.796412+00:00','incident_opened','incident','The incident was opened.','{"event":"poll-349ad6d4-4-b65ccff879abd0d846-opened","occurred_at":"2026-11-28T15:06:27.584000+00:00"}');
INSERT INTO "timeline" VALUES(10,3,'2026-11-28T15:06:27.870583+00:00','ticket_created','ticket','Ticket SUP-3 was created.','{"note":"","ticket":"SUP-3"}');
INSERT INTO "timeline" VALUES(11,3,'2026-11-28T15:06:28.001159+00:00','ticket_changed','ticket','The ticket changed (jira:issue_updated).','{"changed_by":"Hana Helper (status)","done":[false,true],"status":["Waiting for support","Resolved"]}');
INSERT INTO "timeline" VALUES(12,3,'2026-11-28T15:06:28.108263+00:00','incident_written','incident','The status was carried to the incident.','{"conflict":false,"field":"status","incident":"open","reason":"the ticket changed","ticket":"closed"}');
INSERT INTO "timeline" VALUES(13,3,'2026-11-28T15:06:28.365213+00:00','incident_resolved','incident','The incident was resolved.','{"event":"poll-349ad6d4-5-b65ccff879abd0d846-resolved","occurred_at":"2026-11-28T15:06:28.094000+00:00"}');
INSERT INTO "timeline" VALUES(14,4,'2026-11-28T15:06:28.365213+00:00','incident_opened','incident','The incident was opened.','{"event":"poll-349ad6d4-5-a26284b135750c3ec2-opened","occurred_at":"2026-11-28T15:06:28.098000+00:00"}');
INSERT INTO "timeline" VALUES(15,4,'2026-11-28T15:06:28.483237+00:00','ticket_created','ticket','Ticket SUP-4 was created.','{"note":"","ticket":"SUP-4"}');
INSERT INTO "timeline" VALUES(16,4,'2026-11-28T15:06:28.611342+00:00','ticket_deleted','ticket','The ticketing system says that the ticket was deleted.','{}');
INSERT INTO "timeline" VALUES(17,5,'2026-11-28T15:06:40.091240+00:00','incident_opened','incident','The incident was opened.','{"event":"poll-349ad6d4-6-5ed1d52644182ec0ab-opened","occurred_at":"2026-11-28T15:06:39.810000+00:00"}');
INSERT INTO "timeline" VALUES(18,5,'2026-11-28T15:06:40.195488+00:00','ticket_created','ticket','Ticket SUP-5 was created.','{"note":"","ticket":"SUP-5"}');
INSERT INTO "timeline" VALUES(19,5,'2026-11-28T15:06:40.387167+00:00','incident_updated','incident','The incident was updated.','{"event":"poll-349ad6d4-7-5ed1d52644182ec0ab-updated","occurred_at":"2026-11-28T15:06:40.336000+00:00"}');
INSERT INTO "timeline" VALUES(20,5,'2026-11-28T15:06:40.494746+00:00','link_waiting','connector','The other side cannot be reached.','{"code":"unreachable"}');
CREATE TABLE webhook_secret_change (
      integration_id TEXT PRIMARY KEY, changed_at TEXT NOT NULL,
      FOREIGN KEY (integration_id) REFERENCES integration (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    ;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX link_incident ON link (organization, incident_id);
CREATE INDEX link_key ON link (ticket_key) WHERE ticket_key IS NOT NULL;
CREATE INDEX lane_claimed ON lane (boot) WHERE boot IS NOT NULL;
CREATE INDEX timeline_link ON timeline (link_id, id);
CREATE INDEX run_integration ON run (integration_id, kind, id);
CREATE INDEX lane_ready ON lane (integration_id, due_at) WHERE boot IS NULL AND due_at IS NOT NULL;
CREATE INDEX lane_parked ON lane (breaker, parked_at, link_id) WHERE breaker IS NOT NULL;
CREATE INDEX link_to_ticket ON link (integration_id, to_ticket_since) WHERE to_ticket_since IS NOT NULL;
CREATE INDEX link_to_incident ON link (integration_id, to_incident_since) WHERE to_incident_since IS NOT NULL;
CREATE INDEX link_open ON link (integration_id, is_open, over_at);
CREATE INDEX link_state ON link (state, integration_id);
CREATE TRIGGER timeline_activity AFTER INSERT ON timeline BEGIN
      INSERT INTO activity SELECT integration_id, substr(NEW.at, 1, 13), 1, NEW.at FROM link WHERE id = NEW.link_id
      ON CONFLICT (integration_id, hour) DO UPDATE SET entries = entries + 1, last_at = MAX(last_at, excluded.last_at);
    END;
CREATE INDEX link_standing ON link (integration_id, state, since);
CREATE VIEW link_words AS SELECT link.id, link.organization, link.incident_id,
      link.incident_id || char(10) || json_extract(incident.body, '$.title') || coalesce(char(10) || link.ticket_key
      || char(10) || link.ticket_id || char(10) || json_extract(link.ticket, '$.title'), '') AS text
    FROM link JOIN incident ON incident.organization = link.organization AND incident.id = link.incident_id;
CREATE TRIGGER link_made AFTER INSERT ON link BEGIN INSERT INTO link_count VALUES (NEW.integration_id, NEW.state, 1) ON CONFLICT (integration_id, state) DO UPDATE SET links = links + 1; INSERT INTO link_text SELECT id, text FROM link_words WHERE id = NEW.id ON CONFLICT DO UPDATE SET text = excluded.text; END;
CREATE TRIGGER link_moved AFTER UPDATE OF state ON link WHEN OLD.state != NEW.state BEGIN
      UPDATE link_count SET links = links - 1 WHERE integration_id = OLD.integration_id AND state = OLD.state; INSERT INTO link_count VALUES (NEW.integration_id, NEW.state, 1) ON CONFLICT (integration_id, state) DO UPDATE SET links = links + 1;
    END;
CREATE TRIGGER link_removed AFTER DELETE ON link BEGIN UPDATE link_count SET links = links - 1 WHERE integration_id = OLD.integration_id AND state = OLD.state; END;
CREATE TRIGGER link_reworded AFTER UPDATE OF ticket ON link BEGIN INSERT INTO link_text SELECT id, text FROM link_words WHERE id = NEW.id ON CONFLICT DO UPDATE SET text = excluded.text; END;
CREATE TRIGGER incident_reworded AFTER UPDATE OF body ON incident BEGIN INSERT INTO link_text SELECT id, text FROM link_words WHERE organization = NEW.organization AND incident_id = NEW.id ON CONFLICT DO UPDATE SET text = excluded.text; END;
CREATE INDEX comment_waiting ON comment (link_id, side, id) WHERE state = 'waiting';
CREATE INDEX comment_written ON comment (link_id, side, written_id) WHERE written_id IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',2);
INSERT INTO "sqlite_sequence" VALUES('event',8);
INSERT INTO "sqlite_sequence" VALUES('link',5);
INSERT INTO "sqlite_sequence" VALUES('timeline',20);
INSERT INTO "sqlite_sequence" VALUES('delivery',9);
COMMIT;
