// What other servers are told of this server's devices. Server-Server API §Device Management, §End-to-End Encryption.

import MatrixCore
import Persistence

/// Makes `m.device_list_update` and `m.signing_key_update` from what is stored.
///
/// The changes of a user's devices are a chain: `stream_id` is the position of a change, `prev_id` that of the user's change before it.
/// It is the same chain for every server, and `/user/devices` tells the last link of it; a server that finds a link missing asks there.
package struct DeviceUpdates: Sendable {
    private let showsNames: Bool

    /// - Parameter showsNames: `allow_device_name_lookup_over_federation`.
    package init(showsNames: Bool) {
        self.showsNames = showsNames
    }

    /// - Parameters:
    ///   - changes: in order; every change of these users after `start` that is not superseded by another of them.
    ///   - start: the position before which the chain has been told.
    package func updates(
        for changes: [DeviceListAnnouncement], from start: StreamPosition, on connection: any SQLConnection
    ) throws -> [OutboundDeviceUpdate] {
        guard !changes.isEmpty else { return [] }
        var last = try DeviceListStore.lastDeviceChanges(of: Array(Set(changes.map(\.user))), before: start, on: connection)
        return try changes.map { change in
            switch change.subject {
            case .device(let device):
                defer { last[change.user] = change.position }
                let edu = try update(
                    of: device, change.user, streamID: change.position, previous: last[change.user], on: connection)
                return OutboundDeviceUpdate(position: change.position, edus: [edu])
            case .crossSigningKeys:
                return OutboundDeviceUpdate(position: change.position, edus: try signingKeys(of: change.user, on: connection))
            }
        }
    }

    /// The last link of a user's chain, for servers that begin to follow it. nil: there is none, or nobody can encrypt for the user
    /// anyway; the chain is told from the first keys on then.
    package func last(of user: UserID, at position: StreamPosition, on connection: any SQLConnection) throws -> OutboundDeviceUpdate? {
        guard try DeviceKeyStore.hasKeys(user, on: connection), let newest = try DeviceListStore.lastDeviceChange(of: user, on: connection),
            let change = try DeviceListStore.announcements(at: [newest], on: connection).first,
            let update = try updates(for: [change], from: newest, on: connection).first
        else { return nil }
        return OutboundDeviceUpdate(position: position, edus: update.edus)
    }

    private func update(
        of device: DeviceID, _ user: UserID, streamID: StreamPosition, previous: StreamPosition?, on connection: any SQLConnection
    ) throws -> OutboundEDU {
        let description = try DeviceKeyStore.description(of: device, of: user, on: connection)
        return OutboundEDU(type: "m.device_list_update") { content in
            if description == nil { content.member("deleted", true) }
            if showsNames, let name = description?.displayName { content.member("device_display_name", name) }
            content.member("device_id", device)
            if let keys = description?.keys { content.member("keys", raw: keys) }
            content.member("prev_id", array: { list in if let previous { list.int(previous.value) } })
            content.member("stream_id", streamID.value)
            content.member("user_id", user)
        }
    }

    /// Under the name of the specification, and under the one from before it, which Synapse sends as well.
    private func signingKeys(of user: UserID, on connection: any SQLConnection) throws -> [OutboundEDU] {
        let keys = try CrossSigningStore.keys(of: [user], on: connection)
        let named = [("master_key", CrossSigningUsage.master), ("self_signing_key", .selfSigning)].compactMap { name, usage in
            keys.first { $0.usage == usage }.map { (name, $0.json) }
        }
        guard !named.isEmpty else { return [] }
        return ["m.signing_key_update", "org.matrix.signing_key_update"].map { type in
            OutboundEDU(type: type) { content in
                for (name, json) in named { content.member(name, raw: json) }
                content.member("user_id", user)
            }
        }
    }
}
