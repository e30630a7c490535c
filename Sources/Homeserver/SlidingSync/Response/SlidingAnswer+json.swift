// Writing an answer: prerendered events are spliced in. MSC4186, the names as Synapse writes them.

import MatrixCore
import Persistence
import Rooms

/// Writes an answer for one reader.
struct SlidingWriter {
    let answer: SlidingAnswer
    let position: SlidingSyncPosition
    let viewer: EventViewer
    let now: Timestamp

    func write() -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        writer.object { w in
            w.member("pos", position.text)
            if !answer.lists.isEmpty {
                w.member("lists", object: { w in for list in answer.lists { w.member(list.key.string, object: { write(list, to: &$0) }) } })
            }
            w.member(
                "rooms", object: { w in for room in answer.rooms { w.member(room.room.string, object: { write(room, to: &$0) }) } })
            w.member("extensions", object: { write(answer.extensions, to: &$0) })
        }
        return writer.bytes
    }

    /// About how long the response will be.
    private var capacity: Int {
        var size = 512
        for list in answer.lists { size += list.windows.reduce(64) { $0 + $1.rooms.count + 64 } }
        for room in answer.rooms { size += 400 + 700 * ((room.timeline?.events.count ?? 0) + room.requiredState.count) }
        return size
    }

    private func write(_ list: SlidingListAnswer, to writer: inout JSONWriter) {
        writer.member("count", list.count)
        writer.member(
            "ops",
            array: { ops in
                for window in list.windows {
                    ops.object { op in
                        op.member("op", "SYNC")
                        op.member(
                            "range",
                            array: { range in
                                range.int(Int64(window.range.first))
                                range.int(Int64(window.range.last))
                            })
                        op.member("room_ids", raw: window.rooms)
                    }
                }
            })
    }

    // MARK: Rooms

    private func write(_ room: SlidingRoom, to writer: inout JSONWriter) {
        writer.member("notification_count", room.unread?.notifications ?? 0)
        writer.member("highlight_count", room.unread?.highlights ?? 0)
        if let stamp = room.bumpStamp { writer.member("bump_stamp", stamp.value) }
        if let count = room.joinedCount { writer.member("joined_count", count) }
        if let count = room.invitedCount { writer.member("invited_count", count) }
        if let name = room.name { writer.member("name", name) }
        if let avatar = room.avatar { writer.member("avatar", avatar) }
        if !room.heroes.isEmpty { writer.member("heroes", array: { w in for hero in room.heroes { w.object { write(hero, to: &$0) } } }) }
        if room.isInitial { writer.member("initial", true) }
        if room.isExpanded { writer.member("unstable_expanded_timeline", true) }
        if room.isDirect { writer.member("is_dm", true) }
        if !room.requiredState.isEmpty {
            writer.member(
                "required_state",
                array: { w in for event in room.requiredState { event.write(to: &w, includeRoomID: false, for: viewer, now: now) } })
        }
        if let timeline = room.timeline { write(timeline, of: room, to: &writer) }
        if let stripped = room.stripped {
            writer.member("invite_state", array: { stripped.write(to: &$0) })
        }
    }

    private func write(_ hero: SlidingRoom.Hero, to writer: inout JSONWriter) {
        writer.member("user_id", hero.user)
        if let name = hero.displayName { writer.member("displayname", name) }
        if let avatar = hero.avatarURL { writer.member("avatar_url", avatar) }
    }

    private func write(_ timeline: TimelineWindow, of room: SlidingRoom, to writer: inout JSONWriter) {
        if !timeline.events.isEmpty {
            writer.member(
                "timeline",
                array: { w in
                    for (index, event) in timeline.events.enumerated() {
                        let aggregations = room.aggregations[event.nid]
                        event.write(
                            to: &w, includeRoomID: false, for: viewer, now: now,
                            membership: timeline.membership(at: index, of: viewer.user),
                            unsigned: aggregations.map { found in { found.write(to: &$0, includeRoomID: false, for: viewer, now: now) } })
                    }
                })
        }
        writer.member("limited", timeline.isLimited)
        writer.member("prev_batch", SyncToken(timeline.previousBatch).text)
        writer.member("num_live", room.liveCount)
    }

    // MARK: Extensions

    private func write(_ extensions: SlidingExtensionAnswers, to writer: inout JSONWriter) {
        if let toDevice = extensions.toDevice {
            writer.member(
                "to_device",
                object: { w in
                    w.member("next_batch", String(toDevice.next.value))
                    w.member("events", array: { w in for event in toDevice.events { w.raw(event) } })
                })
        }
        if let endToEnd = extensions.endToEnd { writer.member("e2ee", object: { write(endToEnd, to: &$0) }) }
        if let accountData = extensions.accountData {
            writer.member(
                "account_data",
                object: { w in
                    w.member("global", array: { SlidingWriter.write(accountData.global, to: &$0) })
                    w.member(
                        "rooms",
                        object: { w in
                            for (room, items) in accountData.rooms { w.member(room.string, array: { SlidingWriter.write(items, to: &$0) }) }
                        })
                })
        }
        if let receipts = extensions.receipts {
            SlidingWriter.write("receipts", to: &writer) { w in
                for (room, content) in receipts {
                    w.member(room.string) { w in
                        w.member("type", SyncAnswer.receiptType)
                        w.member("content", raw: content)
                    }
                }
            }
        }
        if let typing = extensions.typing {
            SlidingWriter.write("typing", to: &writer) { w in
                for (room, users) in typing {
                    w.member(room.string) { w in
                        w.member("type", SyncAnswer.typingType)
                        w.member("content") { $0.member("user_ids", users) }
                    }
                }
            }
        }
        if !extensions.threadSubscriptions.isEmpty {
            writer.member("io.element.msc4308.thread_subscriptions") { w in
                ThreadSubscriptionContent.write(extensions.threadSubscriptions, to: &w)
                if extensions.hasMoreThreadSubscriptions, let oldest = extensions.threadSubscriptions.last {
                    w.member("prev_batch", String(oldest.position.value - 1))
                }
            }
        }
    }

    private func write(_ endToEnd: SlidingExtensionAnswers.EndToEnd, to writer: inout JSONWriter) {
        writer.member("device_one_time_keys_count") { w in
            for (algorithm, count) in endToEnd.counts?.oneTimeKeys ?? [] { w.member(algorithm, count) }
        }
        writer.member("device_unused_fallback_key_types", endToEnd.counts?.unusedFallbackTypes ?? [])
        if let lists = endToEnd.lists {
            writer.member("device_lists") { w in
                w.member("changed", lists.changed)
                w.member("left", lists.left)
            }
        }
    }

    private static func write(_ items: [AccountDataItem], to writer: inout JSONWriter) {
        for item in items {
            writer.object { w in
                w.member("type", item.type)
                w.member("content", raw: item.content)
            }
        }
    }

    /// An extension that is a map of rooms.
    private static func write(_ name: String, to writer: inout JSONWriter, _ rooms: (inout JSONWriter) -> Void) {
        writer.member(name) { $0.member("rooms", object: rooms) }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ key: String, _ body: (inout JSONWriter) -> Void) {
        member(key, object: body)
    }
}
