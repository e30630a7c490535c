// The body of PUT /sendToDevice, checked. Client-Server API §Send-to-Device messaging.

import MatrixCore

/// Messages of one type for any number of devices.
package struct ToDeviceRequest: Sendable {
    /// What one user's devices get.
    package struct Recipient: Sendable {
        package let user: UserID
        /// The content for each named device.
        package let contents: [DeviceID: [UInt8]]
        /// The content for all other devices, sent to the device `*`.
        package let contentForAll: [UInt8]?

        init(user: UserID, contents: [DeviceID: [UInt8]], contentForAll: [UInt8]?) {
            self.user = user
            self.contents = contents
            self.contentForAll = contentForAll
        }

        /// The content for a device; nil: the device gets nothing.
        package func content(for device: DeviceID) -> [UInt8]? { contents[device] ?? contentForAll }
    }

    package let type: ByteString
    package private(set) var recipients: [Recipient]

    /// The largest content of one message as canonical JSON, in bytes: more would not fit into what servers send each other.
    package static let contentLimit = 65_536

    /// A recipient that is no user ID is passed over.
    ///
    /// - Throws: `M_MISSING_PARAM`, `M_BAD_JSON`, `M_TOO_LARGE`, `M_INVALID_PARAM`.
    package init(type: ByteString, _ body: JSON) throws(MatrixError) {
        guard !type.string.utf8.contains(0) else { throw .invalidParam("The event type holds a character that is not allowed") }
        guard let messages = body["messages"] else { throw .missingParam("Missing messages") }
        guard messages.isObject else { throw .badJSON("messages must be an object") }
        var recipients: [UserID: Recipient] = [:]
        for (name, devices) in messages.members {
            guard devices.isObject else { throw .badJSON("messages: \(name) must be an object") }
            guard let user = try? UserID(parsing: name.string) else { continue }
            recipients[user] = try Recipient(user: user, devices)
        }
        self.type = type
        self.recipients = recipients.values.sorted { $0.user < $1.user }
    }

    /// Leaves users out who are asked for keys by `requester` too often. As in Synapse, nobody is told.
    package mutating func limitKeyRequests(by requester: Requester, _ rateLimits: RateLimiter) {
        guard type == "m.room_key_request" else { return }
        let device = ByteString("\(requester.user) \(requester.device?.string ?? "")")
        recipients = recipients.filter { recipient in
            if recipient.user == requester.user { return true }
            do throws(MatrixError) { try rateLimits.check(.keyRequests, of: device, by: requester.user) } catch { return false }
            return true
        }
    }
}

extension ToDeviceRequest.Recipient {
    fileprivate init(user: UserID, _ devices: JSON) throws(MatrixError) {
        var contents: [DeviceID: [UInt8]] = [:]
        var contentForAll: [UInt8]?
        for (device, content) in devices.members {
            guard content.isObject else { throw .badJSON("messages: the message to \(user) \(device) must be an object") }
            let bytes = content.canonicalBytes
            guard bytes.count <= ToDeviceRequest.contentLimit else {
                throw .tooLarge("The message to \(user) \(device) is too large: \(bytes.count) bytes")
            }
            if device == "*" { contentForAll = bytes } else { contents[DeviceID(trusted: device.string)] = bytes }
        }
        self.user = user
        self.contents = contents
        self.contentForAll = contentForAll
    }
}
