// m.device_list_update, and what it means for a list that is followed. Server-Server API §Device Management.

import MatrixCore
import Persistence

/// One device of a user of another server has changed.
package struct DeviceListUpdate: Sendable {
    package let user: UserID
    package let device: DeviceID
    /// Names this change.
    package let streamID: ByteString
    /// The changes that it follows upon.
    package let previous: [ByteString]
    /// nil: the device is gone, or has no keys.
    package let keys: DeviceKeysRow?

    /// How many changes one may follow upon; one that names more is followed by fetching the list.
    private static let previousLimit = 20

    /// - Throws: `MalformedEDU`.
    package init(_ content: JSON) throws(MalformedEDU) {
        guard let user = content["user_id"]?.string.flatMap({ UserID(valid: $0) }) else { throw MalformedEDU("user_id") }
        guard let device = content["device_id"]?.string.flatMap({ DeviceID(valid: $0) }) else { throw MalformedEDU("device_id") }
        guard let streamID = content["stream_id"].flatMap({ Self.streamID($0) }) else { throw MalformedEDU("stream_id") }
        self.user = user
        self.device = device
        self.streamID = streamID
        previous = try Self.previous(content["prev_id"])
        guard content["deleted"]?.bool != true, let keys = content["keys"], !keys.isNull else {
            self.keys = nil
            return
        }
        guard let row = DeviceKeysRow(remote: keys, of: device, of: user, displayName: content["device_display_name"]) else {
            throw MalformedEDU("keys")
        }
        self.keys = row
    }

    private static func previous(_ value: JSON?) throws(MalformedEDU) -> [ByteString] {
        guard let value, !value.isNull else { return [] }
        guard value.isArray else { throw MalformedEDU("prev_id") }
        guard value.count <= previousLimit else { return [] }
        var found: [ByteString] = []
        for element in value.elements {
            guard let id = streamID(element) else { throw MalformedEDU("prev_id") }
            found.append(id)
        }
        return found
    }

    /// The name of a change: a number by the specification, a text with some servers.
    package static func streamID(_ value: JSON) -> ByteString? {
        if let number = value.int { return ByteString(String(number)) }
        guard let text = value.string, (1...100).contains(text.utf8.count), !text.utf8.contains(0) else { return nil }
        return ByteString(text)
    }

    // MARK: What it means

    package enum Decision: Sendable, Hashable {
        /// It was taken in before.
        case isKnown
        /// It is the next change after what is stored.
        case apply
        /// Others are missing, or nothing is stored: the list must be fetched.
        case fetch
    }

    /// - Parameters:
    ///   - list: how the user's list stands; nil where it is not followed.
    ///   - seen: the changes that were taken in lately.
    package func decision(list: RemoteDeviceListRow?, seen: [ByteString]) -> Decision {
        guard let list, !list.isStale else { return .fetch }
        let isKnown = { (id: ByteString) in id == list.streamID || seen.contains(id) }
        if isKnown(streamID) { return .isKnown }
        return !previous.isEmpty && previous.allSatisfy(isKnown) ? .apply : .fetch
    }
}
