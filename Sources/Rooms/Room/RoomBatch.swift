// Builds, signs and authorizes the events of a batch of commands, one after the other, against the room's state in memory.

import MatrixCore
import Persistence

/// A batch in the making. It holds a copy of the room's head, which runs ahead of the durable one; nothing of it is seen outside
/// until the Journal has the batch. Building decides; it reads no database and waits for nothing.
struct RoomBatch: Sendable {
    let environment: RoomEnvironment
    var head: RoomHead
    var material = RoomMaterial()
    var records: [EventRecord] = []
    /// Rows without a place in the stream: events in no timeline, and what else belongs to received events.
    var rows: [@Sendable (any SQLConnection) throws -> Void] = []
    var stateRows: [StateLayerRow] = []
    var newKeys: Set<StateKey> = []
    /// Where in the state each state event of the batch went, by its index in `records`.
    var placed: [(index: Int, key: StateKey)] = []
    /// The events of this batch, which are not in the database yet.
    var built: [EventID: (nid: EventNID, event: Event)] = [:]

    init(head: RoomHead, environment: RoomEnvironment) {
        self.head = head
        self.environment = environment
    }

    var isEmpty: Bool { records.isEmpty && rows.isEmpty }

    /// Adds the events of one command, all of them or, when one is refused, none.
    ///
    /// - Throws: `MatrixError` by which the command fails, or `MissingMaterial` when it is to be tried again.
    mutating func add(_ drafts: [EventDraft], from origin: EventOrigin) throws -> [EventID] {
        let before = (head: head, material: material, records: records.count, states: stateRows.count, places: placed.count)
        do {
            var ids: [EventID] = []
            ids.reserveCapacity(drafts.count)
            for (index, draft) in drafts.enumerated() {
                // The transaction id stands for the command, and the database keeps it unique: it goes with the first event.
                let own = index == 0 ? origin : EventOrigin(user: origin.user, device: origin.device)
                ids.append(try add(draft, from: own))
            }
            return ids
        } catch {
            for record in records[before.records...] { built[record.row.event.id] = nil }
            records.removeSubrange(before.records...)
            stateRows.removeSubrange(before.states...)
            placed.removeSubrange(before.places...)
            (head, material) = (before.head, before.material)
            throw error
        }
    }

    /// Adds the create event of a new room, which was built to learn the room's id.
    mutating func addCreate(_ event: Event, from origin: EventOrigin) throws {
        try authorizeOrForbid(event)
        _ = try record(event, key: .create, replacing: nil, redaction: nil, citing: [], from: origin)
    }

    // MARK: One event

    private mutating func add(_ draft: EventDraft, from origin: EventOrigin) throws -> EventID {
        try RoomBatch.checkTransactionID(of: origin)
        try checkContent(of: draft)
        let key = draft.stateKey.map { StateKey(type: draft.type, stateKey: $0) }
        let replaced = try key.flatMap { try currentEvent($0) }
        if let replaced, try isSame(draft, as: replaced.event) { return replaced.event.id }

        let event = try build(draft.namingTarget())
        try checkMessage(event)
        try authorizeOrForbid(event)
        let redaction = try event.redacts.flatMap { try decideRedaction(by: event, of: $0) }
        let place = try event.relation.map { try placement(of: event, $0) }
        return try record(
            event, key: key, replacing: replaced, redaction: redaction, relation: place, citing: citations(of: event),
            from: origin)
    }

    /// Builds, signs and authorizes an event without taking it into the batch: another server has a say in it first.
    ///
    /// - Throws: `MatrixError`, `MissingMaterial`.
    func proposal(_ draft: EventDraft) throws -> Event {
        try checkContent(of: draft)
        let event = try build(draft)
        try checkMessage(event)
        try authorizeOrForbid(event)
        return event
    }

    /// The auth events of a state event that is built on the current state.
    func citations(of event: Event) -> [EventNID] { event.isState ? head.authEntries(for: event).map(\.nid) : [] }

    /// What the database could not store would fail the whole batch. (Types and state keys are checked by `Event.build`.)
    private static func checkTransactionID(of origin: EventOrigin) throws(MatrixError) {
        guard let id = origin.transactionID else { return }
        guard id.utf8.count <= transactionIDByteLimit, !id.utf8.contains(0) else {
            throw .invalidParam("A transaction id must have at most \(transactionIDByteLimit) bytes, and no U+0000")
        }
    }

    private static let transactionIDByteLimit = 255

    /// The event that holds `key` now.
    func currentEvent(_ key: StateKey) throws -> (nid: EventNID, event: Event)? {
        guard let entry = head.snapshot.entry(key) else { return nil }
        if let built = built[entry.id] { return built }
        guard let event = material.events[entry.nid] else { throw MissingMaterial(events: [entry.nid]) }
        return (entry.nid, event)
    }

    /// A state event that says what the current one says already makes no new event (as in Synapse).
    private func isSame(_ draft: EventDraft, as current: Event) throws -> Bool {
        guard draft.sender == current.sender else { return false }
        let content = try RoomBatch.parse(draft.content)
        return content.canonicalBytes == current.content().canonicalBytes
    }

    static func parse(_ content: [UInt8]) throws -> JSON {
        do {
            let root = try JSONDocument(parsing: content, limits: .request).root
            guard root.kind == .object else { throw MatrixError.badJSON("Content must be a JSON object") }
            return root
        } catch is JSONError {
            throw MatrixError.badJSON("Content is not valid JSON")
        }
    }

    private func build(_ draft: EventDraft) throws -> Event {
        let snapshot = head.snapshot
        // Only the content of a member event has a say in the selection; that of others is not looked at, and any will do.
        let content = draft.type == "m.room.member" ? try RoomBatch.parse(draft.content) : nil
        let keys = authEventKeys(
            type: draft.type, sender: draft.sender, stateKey: draft.stateKey,
            content: content ?? snapshot.createEvent.content(), version: snapshot.version)
        if draft.type == "m.room.power_levels", let name = PowerLevels.malformedProperty(of: try RoomBatch.parse(draft.content)) {
            throw MatrixError.badJSON("\(name) is not made of integers")
        }
        let authEvents = keys.compactMap { snapshot.entry($0)?.id }
        let prevEvents = head.prevEvents
        try requireReferenceHashes(of: prevEvents + authEvents)
        do {
            return try Event.build(
                draft, roomID: snapshot.roomID, version: snapshot.version, prevEvents: prevEvents,
                authEvents: authEvents, referenceHashes: material.referenceHashes, depth: min(head.depth, Event.depthLimit - 1) + 1,
                originServerTimestamp: .now, origin: environment.serverName, key: environment.signingKey)
        } catch {
            throw MatrixError(error)
        }
    }

    /// Room versions 1 and 2: events name others with their hashes.
    private func requireReferenceHashes(of events: [EventID]) throws(MissingMaterial) {
        guard head.snapshot.version.eventFormat == .explicitIDs else { return }
        let missing = events.filter { material.referenceHashes[$0] == nil }
        guard missing.isEmpty else { throw MissingMaterial(referenceHashes: missing) }
    }

    private func authorizeOrForbid(_ event: Event) throws {
        do {
            try authorize(event, against: head.snapshot, version: head.snapshot.version)
        } catch {
            throw error.isMalformed ? MatrixError.badJSON(error.reason) : MatrixError.forbidden(error.reason)
        }
    }

    // MARK: Redactions

    /// Rooms §Redactions, Client-Server API §Redactions: who has the room's redact level may redact anything, everybody else their
    /// own events. The one with the power may redact what the server does not know; nothing happens to it then.
    private func decideRedaction(by event: Event, of id: EventID) throws -> EventRecord.Redaction? {
        guard event.type == "m.room.redaction" else { return nil }
        let target: RedactionTarget?
        if let built = built[id] {
            target = RedactionTarget(nid: built.nid, roomNID: head.snapshot.nid, event: built.event, isRedacted: false)
        } else if let fetched = material.redacted[id] {
            target = fetched
        } else {
            throw MissingMaterial(redacted: [id])
        }
        let levels = head.snapshot.powerLevels
        guard let target else {
            guard levels.level(of: event.sender) >= levels.redact else { throw MatrixError.notFound("Event not found") }
            return nil
        }
        guard target.roomNID == head.snapshot.nid else {
            throw MatrixError.invalidParam("Cannot redact an event of another room")
        }
        guard target.event.type != "m.room.create", target.event.type != "m.room.server_acl" else {
            throw MatrixError.forbidden("Events of type \(target.event.type) cannot be redacted")
        }
        guard levels.allowsRedaction(by: event.sender, ofEventBy: target.event.sender) else {
            throw MatrixError.forbidden("You don't have permission to redact events of others")
        }
        guard !target.isRedacted else { return nil }
        return EventRecord.Redaction(
            target: target.nid, targetID: id, targetSender: target.event.sender, targetType: target.event.type,
            targetRelation: target.event.relation, json: try target.event.redacted().json)
    }

    // MARK: Taking an event into the batch

    mutating func record(
        _ event: Event, key: StateKey?, replacing replaced: (nid: EventNID, event: Event)?, redaction: EventRecord.Redaction?,
        relation: RelationPlacement? = nil, citing citations: [EventNID], from origin: EventOrigin
    ) throws -> EventID {
        let keyNumber = try key.map { try number(of: $0) }
        let nid = EventNID(environment.sequences.next(.events))
        let isLocalMember = event.type == "m.room.member" && key.map { environment.isLocal(member: $0) } == true
        let localMember: EventRecord.LocalMember? =
            if isLocalMember, let stateKey = event.stateKey, let membership = event.membership {
                EventRecord.LocalMember(user: UserID(trusted: stateKey.string), membership: membership, event: nid)
            } else {
                nil
            }
        let after = key == nil ? nil : SnapshotID(environment.sequences.next(.snapshots))
        let row = EventInsertion(
            event: event, nid: nid, room: head.snapshot.nid, snapshot: head.snapshot.snapshotID, replaces: replaced?.nid,
            redacts: redaction?.target, device: origin.device, transactionID: origin.transactionID, snapshotAfter: after,
            citations: citations, isRelayed: origin.isRelayed)
        records.append(
            EventRecord(
                row: row, roomID: head.snapshot.roomID,
                clientJSON: ClientEventFormat.render(pdu: event.json, id: event.id, version: event.version),
                replaced: replaced.map { ReplacedEvent($0.event, nid: $0.nid) },
                stateChanges: keyNumber.map { [StateDelta.Pair(key: $0, event: nid)] } ?? [],
                localMembers: localMember.map { [$0] } ?? [], redaction: redaction,
                pendingTarget: isRedactionOfUnknown(event) ? event.redacts : nil,
                relation: relation.map {
                    RelationInsertion(
                        event: event, nid: nid, room: row.room, relation: $0.relation, thread: $0.thread, isNested: $0.isNested)
                },
                cache: environment.events, aggregations: origin.isRemote ? nil : environment.aggregations))
        built[event.id] = (nid, event)
        if event.version.eventFormat == .explicitIDs { material.referenceHashes[event.id] = try event.referenceHash() }

        if let key, let keyNumber, let after {
            let entry = StateEntry(
                nid: nid, id: event.id, membership: event.membership, position: head.snapshot.position, key: keyNumber)
            stateRows.append(try head.apply(event, as: entry, key: key, snapshotID: after))
            placed.append((records.count - 1, key))
        }
        if let relation { noteAnnotation(relation.relation, of: event.type, by: event.sender, isThere: true) }
        if let redaction { try applyRedaction(redaction) }
        head.follow(event)
        return event.id
    }

    mutating func number(of key: StateKey) throws -> StateKeyNID {
        if let entry = head.snapshot.entry(key) { return entry.key }
        newKeys.insert(key)
        if let number = environment.stateKeys.cached(key) { return number }
        guard let found = material.keys[key] else { throw MissingMaterial(keys: [key]) }
        return found ?? environment.stateKeys.number(ofNew: key)
    }

    /// A redacted event that is in the state counts by what is left of it.
    private mutating func applyRedaction(_ redaction: EventRecord.Redaction) throws {
        let version = head.snapshot.version
        if let relation = redaction.targetRelation {
            noteAnnotation(relation, of: redaction.targetType, by: redaction.targetSender, isThere: false)
        }
        let redacted = try Event(trusted: redaction.json, id: redaction.targetID, version: version)
        material.redacted[redaction.targetID] = RedactionTarget(
            nid: redaction.target, roomNID: head.snapshot.nid, event: redacted, isRedacted: true)
        if built[redaction.targetID] != nil {
            built[redaction.targetID] = nil
            material.events[redaction.target] = redacted
        } else if material.events[redaction.target] != nil {
            material.events[redaction.target] = redacted
        }
        guard let stateKey = redacted.stateKey,
            head.snapshot.entry(StateKey(type: redacted.type, stateKey: stateKey))?.nid == redaction.target
        else { return }
        head.snapshot.interpret(redacted)
    }

    // MARK: Making it durable

    /// Gives the state entries the positions that the Journal gave their events.
    func durableHead(_ positions: ClosedRange<StreamPosition>) -> RoomHead {
        var head = head
        guard !records.isEmpty else { return head }
        for (index, key) in placed {
            guard let entry = head.snapshot.entry(key), entry.nid == records[index].row.nid else { continue }
            head.snapshot.state[key] = StateEntry(
                nid: entry.nid, id: entry.id, membership: entry.membership,
                position: positions.lowerBound.advanced(by: index), key: entry.key)
        }
        head.snapshot.position = positions.upperBound
        return head
    }

    /// The batch as the Journal takes it.
    /// - Parameter extra: further rows of the same transaction.
    func journalBatch(
        alongside extra: (@Sendable (any SQLConnection) throws -> Void)? = nil,
        committed: @escaping @Sendable (RoomHead) -> Void
    ) -> JournalBatch {
        let keyRows = environment.stateKeys.rowsToStore(newKeys)
        let (snapshot, stateRows) = (head.snapshot, stateRows)
        let (extremities, depth) = (head.forwardExtremities, head.depth)
        let stateKeys = environment.stateKeys
        let rows = rows
        let redacted = records.compactMap(\.redaction?.target)
        let parents = records.compactMap(\.relation?.relation.target) + records.compactMap(\.redaction?.targetRelation?.target)
        let (events, aggregations) = (environment.events, environment.aggregations)
        return JournalBatch(
            records: records,
            alongside: { connection in
                try extra?(connection)
                for (key, number) in keyRows { try StateStore.insertKey(key, nid: number, on: connection) }
                for row in stateRows { try StateStore.insertSnapshot(row, room: snapshot.nid, on: connection) }
                for row in rows { try row(connection) }
                try RoomStore.advance(
                    snapshot.nid, forwardExtremities: extremities, depth: depth, snapshot: snapshot.snapshotID, on: connection)
            },
            committed: { positions in
                stateKeys.didStore(keyRows)
                for nid in redacted { events.didRedact(nid) }
                for parent in parents { aggregations.forget(parent) }
                committed(durableHead(positions))
            })
    }

    /// Another process or an earlier attempt has numbered the keys: ask the database again.
    func forgetKeys() { environment.stateKeys.forget(environment.stateKeys.rowsToStore(newKeys)) }
}

extension RoomEnvironment {
    /// Whether a member event's state key is a user of this server.
    fileprivate func isLocal(member key: StateKey) -> Bool { isLocal(UserID(trusted: key.stateKey.string)) }
}
