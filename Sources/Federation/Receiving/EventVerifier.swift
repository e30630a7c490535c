// Steps 1 to 3 of the checks on a received event: format, signatures, hashes. Server-Server API §Checks performed on receipt of a PDU.

import MatrixCore

/// Reads events of other servers, and makes sure that they are whose they say they are.
package struct EventVerifier: Sendable {
    private let keyRing: KeyRing

    /// On how many cores signatures are checked.
    private static let width = 2

    package init(keyRing: KeyRing) {
        self.keyRing = keyRing
    }

    /// An event that was not let in, by its id where it has one.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package let id: EventID?
        package let reason: String
        package var description: String { reason }
    }

    /// Reads one event of a room of this version, and checks nothing but its format.
    package static func parse(_ json: JSON, version: RoomVersion, in room: RoomID) throws(Refusal) -> Event {
        do {
            let event = try Event(parsing: Array(json.bytes), version: version)
            guard event.roomID == room else { throw Refusal(id: event.id, reason: "it belongs to another room") }
            // No database of ours keeps a NUL in text, and nobody could ask for the event.
            let texts = [event.type.string, event.stateKey?.string ?? "", event.id.string, event.sender.string]
            guard !texts.contains(where: { $0.utf8.contains(0) }) else { throw Refusal(id: event.id, reason: "it holds a NUL character") }
            return event
        } catch let error as Refusal {
            throw error
        } catch let error as EventError {
            throw Refusal(id: nil, reason: "\(error)")
        } catch {
            throw Refusal(id: nil, reason: "\(error)")
        }
    }

    /// The events that are signed as they must be, in their order; redacted where their content is not what was hashed.
    package func verified(_ events: [Event]) async throws -> (events: [Event], refusals: [Refusal]) {
        guard !events.isEmpty else { return ([], []) }
        let keys = await keyRing.keys(for: EventSignatures.requirements(of: events))
        let verdicts = try await EventSignatures.verdicts(on: events, keys: keys, width: Self.width)
        var verified: [Event] = []
        verified.reserveCapacity(events.count)
        var refusals: [Refusal] = []
        for (event, verdict) in zip(events, verdicts) {
            switch verdict {
            case .intact: verified.append(event)
            case .contentAltered:
                do { verified.append(try event.redacted()) } catch { refusals.append(Refusal(id: event.id, reason: "\(error)")) }
            case .refused(let failure): refusals.append(Refusal(id: event.id, reason: "\(failure)"))
            }
        }
        return (verified, refusals)
    }

    /// The same from JSON. What is no event of the room is left out: the rest of an answer counts all the same.
    package func verified(_ list: [JSON], version: RoomVersion, in room: RoomID) async throws -> [Event] {
        var seen: Set<EventID> = []
        let events = list.compactMap { json in
            do { return try Self.parse(json, version: version, in: room) } catch { return nil }
        }.filter { seen.insert($0.id).inserted }
        return try await verified(events).events
    }
}
