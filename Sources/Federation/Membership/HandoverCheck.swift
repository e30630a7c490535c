// Whether the room that a server hands over is a room. Server-Server API §Joining Rooms, §Checks performed on receipt of a PDU.

import MatrixCore
import Rooms

/// Checks an answer to a join: each event for itself, each against its auth events, and the join against the state.
struct HandoverCheck: Sendable {
    let verifier: EventVerifier
    let version: RoomVersion
    let room: RoomID

    enum Failure: Error, Sendable, CustomStringConvertible {
        case noCreateEvent
        case otherVersion(String)
        case joinRefused(AuthRejection)

        var description: String {
            switch self {
            case .noCreateEvent: "the state has no create event"
            case .otherVersion(let version): "the room is of version \(version)"
            case .joinRefused(let rejection): "the state does not allow the join: \(rejection.reason)"
            }
        }
    }

    /// - Parameter source: the server that answers.
    func check(_ answer: JoinAnswer, join: Event, from source: ServerName) async throws -> RoomHandover {
        let stateIDs = Set(try ids(answer.state))
        var events = try await verifier.verified(answer.state + answer.authChain, version: version, in: room)
        events = AuthOrder.sorted(events)
        guard let create = events.first(where: { $0.key == .create && stateIDs.contains($0.id) }) else { throw Failure.noCreateEvent }
        let named = create.content()["room_version"]?.string ?? "1"
        guard named == version.id else { throw Failure.otherVersion(named) }

        let allowed = self.allowed(events, create: create)
        var state: [StateKey: Event] = [:]
        for event in allowed where stateIDs.contains(event.id) { if let key = event.key { state[key] = event } }
        if answer.serversInRoom != nil {
            // Of the members that were left out, those by whom the join is authorized are known all the same.
            for event in allowed where join.authEvents.contains(event.id) && event.type == StateKey.memberType {
                if let key = event.key, state[key] == nil { state[key] = event }
            }
        }
        let held = Set(state.values.map(\.id))
        do {
            try authorize(join, against: AuthEventState(events: state.values, version: version), version: version)
        } catch {
            throw Failure.joinRefused(error)
        }
        return RoomHandover(
            join: join, state: Array(state.values), authChain: allowed.filter { !held.contains($0.id) },
            omission: answer.serversInRoom.map { RoomHandover.Omission(servers: $0, source: source) })
    }

    private func ids(_ list: [JSON]) throws -> [EventID] {
        list.compactMap { json in
            do { return try EventVerifier.parse(json, version: version, in: room).id } catch { return nil }
        }
    }

    /// Those that their auth events allow. An event whose auth events are not all there authorizes nothing, and is not let in.
    private func allowed(_ events: [Event], create: Event) -> [Event] {
        var allowed: [EventID: Event] = [:]
        var inOrder: [Event] = []
        let extra = version.createEventDecidesRoomID ? [create] : []
        for event in events where event.isState {
            let authEvents = event.authEvents.compactMap { allowed[$0] }
            guard authEvents.count == event.authEvents.count else { continue }
            do {
                try checkAuthEvents(of: event, are: authEvents) { _ in false }
                let basis = event.id == create.id ? authEvents : authEvents + extra
                try authorize(event, against: AuthEventState(events: basis, version: version), version: version)
            } catch {
                continue
            }
            allowed[event.id] = event
            inOrder.append(event)
        }
        return inOrder
    }
}
