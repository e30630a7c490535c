// Writing a response: prerendered events are spliced in. Client-Server API, GET /_matrix/client/v3/sync.

import MatrixCore
import Persistence
import Rooms

/// Writes an answer for one reader.
struct SyncWriter {
    let answer: SyncAnswer
    let request: SyncRequest
    let now: Timestamp
    private let viewer: EventViewer
    /// What was rendered here and may serve others, by room.
    private(set) var rendered: [(room: RoomNID, timeline: RenderedTimeline)] = []

    init(_ answer: SyncAnswer, _ request: SyncRequest, now: Timestamp = .now) {
        self.answer = answer
        self.request = request
        self.now = now
        viewer = EventViewer(user: request.user, device: request.device)
    }

    mutating func write() -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        writer.object { w in
            w.member("next_batch", SyncToken(answer.nextBatch).text)
            if !answer.accountData.isEmpty { w.nested("account_data") { SyncWriter.write(answer.accountData, to: &$0) } }
            if !answer.toDevice.isEmpty { w.nested("to_device") { w in w.events { w in for event in answer.toDevice { w.raw(event) } } } }
            writePresence(to: &w)
            writeDevices(to: &w)
            writeRooms(to: &w)
        }
        return writer.bytes
    }

    /// About how long the response will be.
    private var capacity: Int {
        var size = 512
        for room in answer.joined { size += 400 + 700 * (room.timeline.events.count + room.state.count) }
        for room in answer.left { size += 400 + 700 * (room.timeline.events.count + room.state.count) }
        return size
    }

    private static func write(_ items: [AccountDataItem], to writer: inout JSONWriter) {
        writer.events { w in
            for item in items {
                w.object { w in
                    w.member("type", item.type)
                    w.member("content", raw: item.content)
                }
            }
        }
    }

    private func writePresence(to writer: inout JSONWriter) {
        guard !answer.presences.isEmpty else { return }
        writer.nested("presence") { w in
            w.events { w in
                for (user, presence) in answer.presences {
                    w.object { w in
                        w.member("type", SyncAnswer.presenceType)
                        w.member("sender", user)
                        w.nested("content") { presence.write(to: &$0, now: now) }
                    }
                }
            }
        }
    }

    private func writeDevices(to writer: inout JSONWriter) {
        if !answer.devicesChanged.isEmpty || !answer.devicesLeft.isEmpty {
            writer.nested("device_lists") { w in
                if !answer.devicesChanged.isEmpty { w.member("changed", answer.devicesChanged) }
                if !answer.devicesLeft.isEmpty { w.member("left", answer.devicesLeft) }
            }
        }
        guard let counts = answer.keyCounts else { return }
        writer.nested("device_one_time_keys_count") { w in
            for (algorithm, count) in counts.oneTimeKeys { w.member(algorithm, count) }
        }
        writer.member("device_unused_fallback_key_types", counts.unusedFallbackTypes)
    }

    // MARK: Rooms

    private mutating func writeRooms(to writer: inout JSONWriter) {
        guard !answer.joined.isEmpty || !answer.invited.isEmpty || !answer.knocked.isEmpty || !answer.left.isEmpty else { return }
        writer.nested("rooms") { w in
            if !answer.joined.isEmpty {
                w.nested("join") { w in for room in answer.joined { w.nested(room.room.string) { write(room, isJoined: true, to: &$0) } } }
            }
            if !answer.invited.isEmpty {
                w.nested("invite") { w in for room in answer.invited { write(room, as: "invite_state", to: &w) } }
            }
            if !answer.knocked.isEmpty {
                w.nested("knock") { w in for room in answer.knocked { write(room, as: "knock_state", to: &w) } }
            }
            if !answer.left.isEmpty {
                w.nested("leave") { w in for room in answer.left { w.nested(room.room.string) { write(room, isJoined: false, to: &$0) } } }
            }
        }
    }

    private mutating func write(_ room: RoomAnswer, isJoined: Bool, to writer: inout JSONWriter) {
        if let summary = room.summary { writer.nested("summary") { SyncWriter.write(summary, to: &$0) } }
        writer.key("timeline")
        writeTimeline(of: room, to: &writer)
        writer.nested(request.usesStateAfter ? request.stateAfterName : "state") { w in
            w.events { w in for event in room.state { write(event, membership: nil, for: viewer, to: &w) } }
        }
        writer.nested("account_data") { SyncWriter.write(room.accountData, to: &$0) }
        guard isJoined else { return }
        if let unread = room.unread { write(unread, to: &writer) }
        writer.nested("ephemeral") { w in
            w.events { w in
                if let users = room.typing {
                    w.object { w in
                        w.member("type", SyncAnswer.typingType)
                        w.nested("content") { $0.member("user_ids", users) }
                    }
                }
                if let receipts = room.receipts {
                    w.object { w in
                        w.member("type", SyncAnswer.receiptType)
                        w.member("content", raw: receipts)
                    }
                }
            }
        }
    }

    /// A client that tells threads apart gets their counts apart.
    private func write(_ unread: RoomUnread, to writer: inout JSONWriter) {
        let isApart = request.filter.filter.room.timeline.unreadThreadNotifications
        writer.key("unread_notifications")
        (isApart ? unread.main : unread.total).write(to: &writer)
        guard isApart, !unread.threads.isEmpty else { return }
        writer.nested("unread_thread_notifications") { w in
            for (root, counts) in unread.threads {
                w.key(root.string)
                counts.write(to: &w)
            }
        }
    }

    private static func write(_ summary: RoomSummary, to writer: inout JSONWriter) {
        if let heroes = summary.heroes { writer.member("m.heroes", heroes) }
        writer.member("m.joined_member_count", summary.joinedCount)
        writer.member("m.invited_member_count", summary.invitedCount)
    }

    /// A timeline that is the same for all its readers is written once, and copied for the others.
    private mutating func writeTimeline(of room: RoomAnswer, to writer: inout JSONWriter) {
        guard room.isShareable, let first = room.timeline.events.first, let last = room.timeline.events.last else {
            return writeTimeline(room.timeline, for: viewer, to: &writer)
        }
        if let known = room.rendered, known.fits(room.timeline.events, request.filter, now: now) { return writer.raw(known.bytes) }
        var shared = JSONWriter(capacity: 700 * room.timeline.events.count + 64)
        writeTimeline(room.timeline, for: nil, to: &shared)
        writer.raw(shared.bytes)
        let timeline = RenderedTimeline(
            first: first.nid, last: last.nid, count: room.timeline.events.count, format: request.filter, time: now,
            bytes: shared.bytes)
        rendered.append((room.nid, timeline))
    }

    private func writeTimeline(_ timeline: TimelineWindow, for viewer: EventViewer?, to writer: inout JSONWriter) {
        writer.object { w in
            w.events { w in
                for (index, event) in timeline.events.enumerated() {
                    write(event, membership: timeline.membership(at: index, of: request.user), for: viewer, to: &w)
                }
            }
            w.member("limited", timeline.isLimited)
            w.member("prev_batch", SyncToken(timeline.previousBatch).text)
        }
    }

    // MARK: Events

    private func write(_ event: TimelineEvent, membership: Membership?, for viewer: EventViewer?, to writer: inout JSONWriter) {
        let filter = request.filter.filter
        if filter.eventFields == nil, filter.eventFormat == .client {
            return writeClient(event, membership: membership, for: viewer, to: &writer)
        }
        var whole = JSONWriter(capacity: 1024)
        if filter.eventFormat == .federation, let pdu = answer.pdus[event.nid] {
            write(event, pdu: pdu, to: &whole)
        } else {
            writeClient(event, membership: membership, for: viewer, to: &whole)
        }
        guard let fields = filter.eventFields, let document = try? JSONDocument(parsing: whole.bytes, limits: .lenientEvent) else {
            return writer.raw(whole.bytes)
        }
        fields.write(document.root, to: &writer)
    }

    private func writeClient(_ event: TimelineEvent, membership: Membership?, for viewer: EventViewer?, to writer: inout JSONWriter) {
        guard !answer.aggregations.isEmpty, let aggregations = answer.aggregations[event.nid] else {
            return event.write(to: &writer, includeRoomID: false, for: viewer, now: now, membership: membership)
        }
        event.write(
            to: &writer, includeRoomID: false, for: viewer, now: now, membership: membership,
            unsigned: { aggregations.write(to: &$0, includeRoomID: false, for: viewer, now: now) })
    }

    /// The event as servers exchange it, with its id and what belongs to the reader.
    private func write(_ event: TimelineEvent, pdu: [UInt8], to writer: inout JSONWriter) {
        writer.object { w in
            if let document = try? JSONDocument(parsing: pdu, limits: .lenientEvent) {
                for (name, value) in document.root.members where name != "unsigned" && name != "event_id" {
                    w.key(name)
                    w.json(value)
                }
            }
            w.member("event_id", event.id)
            w.nested("unsigned") { w in
                w.member("age", now.milliseconds(since: event.timestamp))
                if let transaction = event.transaction, viewer.device == transaction.device, viewer.user == event.sender {
                    w.member("transaction_id", transaction.id)
                }
            }
        }
    }

    private func write(_ room: StrippedRoom, as name: String, to writer: inout JSONWriter) {
        writer.nested(room.room.string) { w in
            w.nested(name) { w in
                w.events { room.write(to: &$0) }
            }
        }
    }
}

extension StrippedRoom {
    /// Writes the elements of an array. Client-Server API §Stripped state. The invite or knock itself comes last, and keeps its id and time
    /// as with Synapse: clients sort by them.
    func write(to writer: inout JSONWriter) {
        for event in state { writer.raw(event) }
        writer.openRaw(membership.clientJSON)
        writer.close()
    }
}

extension SyncAnswer {
    static let typingType: ByteString = "m.typing"
    static let receiptType: ByteString = "m.receipt"
    static let presenceType: ByteString = "m.presence"
}

extension JSONWriter {
    /// A member that is an object.
    fileprivate mutating func nested(_ key: String, _ body: (inout JSONWriter) -> Void) {
        member(key, object: body)
    }

    /// The member `events`.
    fileprivate mutating func events(_ body: (inout JSONWriter) -> Void) {
        member("events", array: body)
    }
}
