// m.direct_to_device. Server-Server API §Send-to-device messaging.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Messages of another server's user to devices of ours.
package struct DirectToDeviceEDU: EDUHandler {
    package let types: [ByteString] = ["m.direct_to_device"]
    private let toDevice: ToDeviceService
    private let lists: RemoteDeviceLists
    private let rateLimits: RateLimiter

    private static let keyRequest: ByteString = "m.room_key_request"

    package init(toDevice: ToDeviceService, lists: RemoteDeviceLists, rateLimits: RateLimiter) {
        self.toDevice = toDevice
        self.lists = lists
        self.rateLimits = rateLimits
    }

    package func receive(_ content: JSON, from origin: ServerName) async throws {
        let message = try RemoteDeviceMessage(content, from: origin)
        if message.type == Self.keyRequest {
            try rateLimits.check(.keyRequests, of: message.sender.text)
            // Who asks from a device that is not known has told of it, and that got lost.
            try await lists.noteDevices(message.requestingDevices, of: message.sender)
        }
        try await toDevice.receive(message, from: origin)
    }
}

/// One EDU: messages of one type, each to devices of this server's users.
package struct RemoteDeviceMessage: Sendable {
    package let sender: UserID
    package let type: ByteString
    /// By which it is known again.
    package let id: String
    package let recipients: [ToDeviceRequest.Recipient]
    /// The devices in whose name keys are asked for.
    package let requestingDevices: [DeviceID]

    /// Bytes. The specification has 32 code points, and servers send some more.
    private static let idLimit = 255
    private static let typeLimit = 255
    /// How many devices, by name or `*`, one EDU may be for.
    private static let deviceLimit = 5000

    /// Recipients who are no users are passed over, and messages that are too large.
    ///
    /// - Throws: `MalformedEDU`.
    package init(_ content: JSON, from origin: ServerName) throws(MalformedEDU) {
        sender = try UserID(content["sender"], of: origin)
        type = try ByteString(Self.text(content["type"], "type", limit: Self.typeLimit))
        id = try Self.text(content["message_id"], "message_id", limit: Self.idLimit)
        guard let messages = content["messages"], messages.isObject else { throw MalformedEDU("messages") }
        var recipients: [UserID: ToDeviceRequest.Recipient] = [:]
        var requesting: Set<DeviceID> = []
        var count = 0
        for (name, devices) in messages.members {
            count += devices.count
            guard count <= Self.deviceLimit else { throw MalformedEDU("for more than \(Self.deviceLimit) devices") }
            guard let user = UserID(valid: name.string), devices.isObject else { continue }
            var contents: [DeviceID: [UInt8]] = [:]
            var contentForAll: [UInt8]?
            for (device, content) in devices.members where content.isObject && content.byteRange.count <= ToDeviceRequest.contentLimit {
                if device == "*" {
                    contentForAll = content.canonicalBytes
                } else if let device = DeviceID(valid: device.string) {
                    contents[device] = content.canonicalBytes
                }
                if let device = content["requesting_device_id"]?.string.flatMap({ DeviceID(valid: $0) }) { requesting.insert(device) }
            }
            recipients[user] = ToDeviceRequest.Recipient(user: user, contents: contents, contentForAll: contentForAll)
        }
        self.recipients = recipients.values.sorted { $0.user < $1.user }
        requestingDevices = requesting.sorted()
    }

    private static func text(_ value: JSON?, _ name: String, limit: Int) throws(MalformedEDU) -> String {
        guard let text = value?.string, (1...limit).contains(text.utf8.count), !text.utf8.contains(0) else { throw MalformedEDU(name) }
        return text
    }
}
