// Takes in what other servers send. Server-Server API §Transactions, §Checks performed on receipt of a PDU.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Answers `PUT /send/{txnId}` when everything in the transaction that can be let in is durable.
///
/// The transactions of one server are taken in one after the other, as it sends them; one that comes again is answered as it was.
package actor TransactionReceiver {
    private let rooms: RoomRegistry
    private let verifier: EventVerifier
    private let intake: EventIntake
    private let edus: any EDUReceiver
    private let logger: Logger
    private let queues = KeyedQueue<ServerName>()
    private var answered = RecentCache<TransactionKey, [UInt8]>(capacity: TransactionReceiver.memory)

    /// How many answers are remembered.
    private static let memory = 2000

    private struct TransactionKey: Hashable {
        let origin: ServerName
        let id: String
    }

    package init(rooms: RoomRegistry, verifier: EventVerifier, intake: EventIntake, edus: any EDUReceiver, logger: Logger) {
        self.rooms = rooms
        self.verifier = verifier
        self.intake = intake
        self.edus = edus
        self.logger = logger
    }

    /// - Returns: the body of the answer.
    /// - Throws: `MatrixError`; another error where something could not be stored: then the transaction should come again.
    package func receive(_ transaction: InboundTransaction, id: String, from origin: ServerName) async throws -> [UInt8] {
        try await queues.run(origin) { @Sendable in
            try await self.take(transaction, TransactionKey(origin: origin, id: id))
        }
    }

    private func take(_ transaction: InboundTransaction, _ key: TransactionKey) async throws -> [UInt8] {
        if let answer = answered.value(for: key) { return answer }
        let outcomes = try await takePDUs(transaction.pdus, from: key.origin)
        for edu in transaction.edus { try await edus.receive(edu, from: key.origin) }
        let answer = Self.body(outcomes)
        answered.insert(answer, for: key)
        return answer
    }

    // MARK: PDUs

    /// What became of the events whose ids are known: why they were not let in.
    private func takePDUs(_ pdus: [JSON], from origin: ServerName) async throws -> [(EventID, String?)] {
        var outcomes: [(EventID, String?)] = []
        var events: [Event] = []
        var byID: [RoomID: Room] = [:]
        for pdu in pdus {
            guard let id = pdu["room_id"]?.string.flatMap({ RoomID(valid: $0) }), let room = try await room(id) else {
                logger.debug("an event of a room that is not known", metadata: ["server": "\(origin)"])
                continue
            }
            do {
                let event = try EventVerifier.parse(pdu, version: room.version, in: id)
                if let refusal = refusal(of: origin, in: room) {
                    outcomes.append((event.id, refusal))
                } else {
                    byID[id] = room
                    events.append(event)
                }
            } catch {
                logger.info("an event is not well formed", metadata: ["server": "\(origin)", "reason": "\(error)"])
                if let id = error.id { outcomes.append((id, error.reason)) }
            }
        }
        let (verified, refusals) = try await verifier.verified(events)
        for refusal in refusals {
            logger.info("an event is not signed as it must be", metadata: ["server": "\(origin)", "reason": "\(refusal)"])
            if let id = refusal.id { outcomes.append((id, refusal.reason)) }
        }
        outcomes += try await bringIn(verified, byID, from: origin)
        return outcomes
    }

    /// Rooms do not wait for each other.
    private func bringIn(
        _ events: [Event], _ rooms: [RoomID: Room], from origin: ServerName
    ) async throws -> [(EventID, String?)] {
        let intake = intake
        return try await withThrowingTaskGroup(of: [(EventID, String?)].self) { group in
            for (id, events) in Dictionary(grouping: events, by: \.roomID) {
                guard let room = rooms[id] else { continue }
                group.addTask {
                    try await intake.take(events, in: room, from: origin)
                    return events.map { ($0.id, nil) }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func room(_ id: RoomID) async throws -> Room? {
        do { return try await rooms.room(id) } catch is RoomDamaged { return nil }
    }

    /// Why events that `origin` sends are not for this room.
    private func refusal(of origin: ServerName, in room: Room) -> String? {
        let current = room.current
        guard current.allows(origin) else { return "Server is banned from room" }
        guard current.isJoined(by: rooms.environment.serverName) else { return "This server is not in the room" }
        return nil
    }

    private static func body(_ outcomes: [(EventID, String?)]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { body in
            body.member(
                "pdus",
                object: { pdus in
                    for (id, refusal) in outcomes {
                        pdus.member(id.string, object: { if let refusal { $0.member("error", refusal) } })
                    }
                })
        }
        return writer.bytes
    }
}
