// m.device_list_update and m.signing_key_update. Server-Server API §Device Management, §End-to-End Encryption.

import MatrixCore

/// A device of another server's user has changed.
package struct DeviceListEDU: EDUHandler {
    package let types: [ByteString] = ["m.device_list_update"]
    private let lists: RemoteDeviceLists

    package init(lists: RemoteDeviceLists) {
        self.lists = lists
    }

    package func receive(_ content: JSON, from origin: ServerName) async throws {
        _ = try UserID(content["user_id"], of: origin)
        try await lists.receive(try DeviceListUpdate(content))
    }
}

/// The cross-signing keys of another server's user have changed.
package struct SigningKeyEDU: EDUHandler {
    /// The second name is from before the specification had it, and servers send it still.
    package let types: [ByteString] = ["m.signing_key_update", "org.matrix.signing_key_update"]
    private let lists: RemoteDeviceLists

    package init(lists: RemoteDeviceLists) {
        self.lists = lists
    }

    package func receive(_ content: JSON, from origin: ServerName) async throws {
        _ = try UserID(content["user_id"], of: origin)
        try await lists.receive(try SigningKeyUpdate(content))
    }
}
