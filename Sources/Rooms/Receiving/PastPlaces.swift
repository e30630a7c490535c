// Where events of the past stand in a room's timeline. Server-Server API §Backfilling and retrieving missing events.

import MatrixCore
import Persistence

/// A part of a room's past, each event with its place: in the gap before those that name it, or before all that is known of the room.
package struct PastPlaces: Sendable {
    package struct Place: Sendable, Hashable {
        /// The gap; zero: before all that is known.
        package let floor: StreamPosition
        package let position: StreamPosition
    }

    /// The events' places, in their order.
    package let places: [Place]
    /// The gaps that were open before.
    let gaps: [StreamPosition]

    /// In which gaps events belong: in those of the events that name them. What is less deep than the end of an older gap, or than the
    /// beginning of what is known, is what is missing there.
    ///
    /// - Parameters:
    ///   - events: oldest first.
    ///   - known: in which gaps those of them belong that were missed until now.
    ///   - gaps: those of the room, the first one first, with the depth of the deepest event before which something is missing there.
    package static func floors(
        of events: [Event], known: [EventID: StreamPosition], gaps: [(floor: StreamPosition, depth: Int64)]
    ) -> [StreamPosition] {
        var known = known
        var floors: [StreamPosition] = []
        for event in events.reversed() {
            var floor = known[event.id] ?? .zero
            if let older = gaps.first(where: { $0.floor < floor && event.depth < $0.depth }) { floor = older.floor }
            for id in event.prevEvents { known[id] = min(known[id] ?? floor, floor) }
            floors.append(floor)
        }
        return floors.reversed()
    }

    /// Gives out positions from the upper ends of gaps downwards.
    ///
    /// - Parameters:
    ///   - first: of each gap the position of the first event after its floor.
    ///   - beforeAll: gives out positions before all that is known. What does not fit into a gap gets one as well.
    package static func places(
        in floors: [StreamPosition], first: [StreamPosition: StreamPosition], beforeAll: () -> StreamPosition
    ) -> [Place] {
        var ends = first
        var places: [Place] = []
        for floor in floors.reversed() {
            let top = floor.advanced(by: TimelineGaps.width)
            let next = min(ends[floor].map { $0.advanced(by: -1) } ?? top, top)
            guard floor > .zero, next > floor else {
                places.append(Place(floor: .zero, position: beforeAll()))
                continue
            }
            places.append(Place(floor: floor, position: next))
            ends[floor] = next
        }
        return places.reversed()
    }
}

extension Room {
    /// Finds places for events of the past. Nobody else may do so for the room until they are brought in.
    ///
    /// - Parameter events: oldest first.
    package nonisolated func pastPlaces(for events: [Event]) async throws -> PastPlaces {
        let nid = nid
        let (floors, first, gaps) = try await environment.database.read { connection in
            let gaps = try MissingEventStore.gaps(in: nid, on: connection)
            let known = try MissingEventStore.floors(of: events.map(\.id), in: nid, on: connection)
            let floors = PastPlaces.floors(of: events, known: known, gaps: gaps)
            var first: [StreamPosition: StreamPosition] = [:]
            for floor in Set(floors) where floor > .zero {
                first[floor] = try EventStore.firstPosition(in: nid, after: floor, on: connection)
            }
            return (floors, first, gaps.map(\.floor))
        }
        return PastPlaces(places: PastPlaces.places(in: floors, first: first, beforeAll: environment.nextPastPosition), gaps: gaps)
    }

    /// Events have been brought in at these places: whoever reads timelines hears of it.
    package nonisolated func didFill(_ past: PastPlaces) async throws {
        let nid = nid
        guard past.gaps.contains(where: { $0 > .zero }) else { return }
        let open = Set(try await environment.database.read { try MissingEventStore.gaps(in: nid, on: $0) }.map(\.floor))
        let position = await environment.journal.publishTransient { Change(position: $0, kind: .past(room: nid)) }
        for floor in past.gaps where !open.contains(floor) { environment.gaps.close(floor, in: nid, at: position) }
    }

    /// What was missing in a gap has come otherwise.
    package nonisolated func close(_ gap: StreamPosition) async throws {
        guard gap > .zero else { return }
        let nid = nid
        let position = await environment.journal.publishTransient { Change(position: $0, kind: .past(room: nid)) }
        environment.gaps.close(gap, in: nid, at: position)
    }
}
