// Another server, as far as this one asks it: it answers as a test wants.

import Federation
import Homeserver
import MatrixCore
import Persistence
import Rooms
import Synchronization
import TestSupport

/// The keys that another server tells of its users, and how often it was asked.
final class OtherServer: RemoteKeySource {
    struct Person: Sendable {
        var streamID: Int64 = 1
        /// The name and the ed25519 key of each device.
        var devices: [String: (name: String?, key: String)] = [:]
        var master: JSONObject?
        var selfSigning: JSONObject?
    }

    private struct State {
        var people: [UserID: Person] = [:]
        var failure: FederationFailure?
        var asked: [String] = []
        var gate: Gate?
        var claimed: JSONObject = [:]
    }

    /// Holds answers back until it is opened.
    final class Gate: Sendable {
        private let stream = AsyncStream.makeStream(of: Void.self)
        func open() { stream.continuation.finish() }
        func pass() async { for await _ in stream.stream {} }
    }

    static let name = ServerName(trusted: "other.example")
    static func user(_ name: String) -> UserID { UserID(localpart: ByteString(name), server: Self.name) }

    private let state = Mutex(State())

    /// What was asked, in order: `devices @user` and `query @user …`.
    var asked: [String] { state.withLock { $0.asked } }

    func change(_ user: UserID, _ body: (inout Person) -> Void) {
        state.withLock { body(&$0.people[user, default: Person()]) }
    }

    func fail(with failure: FederationFailure?) { state.withLock { $0.failure = failure } }
    func claims(_ keys: JSONObject) { state.withLock { $0.claimed = keys } }

    /// What is asked from now on is answered with what was there when it was asked, after the gate was opened.
    func hold() -> Gate {
        let gate = Gate()
        state.withLock { $0.gate = gate }
        return gate
    }

    private func answer(_ question: String, _ body: (State) -> JSONObject) async throws(FederationFailure) -> JSON {
        let (answer, failure, gate) = state.withLock { state in
            state.asked.append(question)
            defer { state.gate = nil }
            return (body(state), state.failure, state.gate)
        }
        await gate?.pass()
        if let failure { throw failure }
        do { return try JSONDocument(parsing: answer.canonicalBytes).root } catch { throw .malformed("\(error)") }
    }

    func devices(of user: UserID, timeout: Duration) async throws(FederationFailure) -> JSON {
        try await answer("devices \(user)") { state in
            let person = state.people[user] ?? Person()
            var body: JSONObject = [
                "user_id": .string(user.string), "stream_id": .int(person.streamID),
                "devices": .array(
                    person.devices.sorted { $0.key < $1.key }.map { id, device in
                        var entry: JSONObject = ["device_id": .string(id), "keys": .object(Self.keys(of: id, user, device.key))]
                        entry["device_display_name"] = device.name.map { .string($0) }
                        return .object(entry)
                    }),
            ]
            body["master_key"] = person.master.map { .object($0) }
            body["self_signing_key"] = person.selfSigning.map { .object($0) }
            return body
        }
    }

    func queryKeys(
        _ users: [(user: UserID, devices: [DeviceID])], at server: ServerName, timeout: Duration
    ) async throws(FederationFailure) -> JSON {
        try await answer("query \(users.map(\.user.string).sorted().joined(separator: " "))") { state in
            var keys: JSONObject = [:], masters: JSONObject = [:], selfSigning: JSONObject = [:]
            for (user, devices) in users {
                guard let person = state.people[user] else { continue }
                var own: JSONObject = [:]
                for (id, device) in person.devices where devices.isEmpty || devices.contains(DeviceID(trusted: id)) {
                    own[id] = .object(Self.keys(of: id, user, device.key))
                }
                keys[user.text] = .object(own)
                masters[user.text] = person.master.map { .object($0) }
                selfSigning[user.text] = person.selfSigning.map { .object($0) }
            }
            return ["device_keys": .object(keys), "master_keys": .object(masters), "self_signing_keys": .object(selfSigning)]
        }
    }

    func claimKeys(
        _ claims: [UserID: [DeviceID: ByteString]], at server: ServerName, timeout: Duration
    ) async throws(FederationFailure) -> JSON {
        try await answer("claim \(claims.keys.map(\.string).sorted().joined(separator: " "))") { ["one_time_keys": .object($0.claimed)] }
    }

    /// The keys of a device, without signatures that anybody here would check.
    static func keys(of device: String, _ user: UserID, _ key: String) -> JSONObject {
        [
            "user_id": .string(user.string), "device_id": .string(device), "algorithms": [],
            "keys": .object(JSONObject([(ByteString("ed25519:\(device)"), .string(key))])), "signatures": [:],
        ]
    }
}

extension TestRooms {
    /// A user of another server joins or leaves a room.
    func move(_ user: UserID, to membership: Membership, in room: RoomID) async throws {
        try await rooms.existing(room).send(
            EventDraft(type: "m.room.member", stateKey: user.text, content: ["membership": .string(membership.rawValue)], sender: user),
            from: EventOrigin(user: user))
    }
}
