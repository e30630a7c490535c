// Messages to devices of other servers. Server-Server API §Send-to-Device messaging.

import Federation
import MatrixCore
import Persistence
import Rooms

/// The record of one EDU: it waits in a table until the server has taken it.
struct OutboundToDevice: JournalRecord {
    let server: ServerName
    let edu: OutboundEDU

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try ToDeviceOutboxStore.insert(edu.json, to: server, position: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .outbound(server: server))
    }

    func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? {
        try ToDeviceOutboxStore.exists(position, on: connection)
    }
}

extension ToDeviceRequest {
    /// Of more bytes than this the messages for one server are divided into several EDUs, where they can be: as in Synapse.
    static let eduSize = 65_536

    /// What goes to other servers: for each of them one EDU, or several where the messages are large.
    ///
    /// - Parameter isForeign: whether the users of a server are reached by telling that server.
    func outbound(from sender: UserID, to isForeign: (ServerName) -> Bool) -> [OutboundToDevice] {
        var servers: [ServerName: [DirectedMessage]] = [:]
        for recipient in recipients {
            let server = recipient.user.server
            guard isForeign(server) else { continue }
            servers[server, default: []] += recipient.messages
        }
        return servers.sorted { $0.key < $1.key }.flatMap { server, messages in
            Self.divided(messages).map { OutboundToDevice(server: server, edu: edu($0, from: sender)) }
        }
    }

    /// A message to one device, or to `*`.
    struct DirectedMessage {
        let user: UserID
        let device: String
        let content: [UInt8]

        fileprivate var size: Int { user.text.count + device.utf8.count + content.count + 8 }
    }

    private static func divided(_ messages: [DirectedMessage]) -> [ArraySlice<DirectedMessage>] {
        var parts: [ArraySlice<DirectedMessage>] = []
        var start = 0
        var size = 0
        for (index, message) in messages.enumerated() {
            if index > start, size + message.size > eduSize {
                parts.append(messages[start..<index])
                (start, size) = (index, 0)
            }
            size += message.size
        }
        if start < messages.count { parts.append(messages[start...]) }
        return parts
    }

    /// - Parameter messages: in the order of users, and of devices of each.
    private func edu(_ messages: ArraySlice<DirectedMessage>, from sender: UserID) -> OutboundEDU {
        OutboundEDU(type: "m.direct_to_device") { content in
            // By this the server knows an EDU that comes again.
            content.member("message_id", SessionToken.randomLetters(24))
            content.key("messages")
            content.object { users in
                var rest = messages
                while let user = rest.first?.user {
                    let own = rest.prefix { $0.user == user }
                    rest = rest.dropFirst(own.count)
                    users.key(user.string)
                    users.object { devices in for message in own { devices.member(message.device, raw: message.content) } }
                }
            }
            content.member("sender", sender)
            content.member("type", type)
        }
    }
}

extension ToDeviceRequest.Recipient {
    /// In the order of the devices' ids.
    fileprivate var messages: [ToDeviceRequest.DirectedMessage] {
        var named = contents.map { (device: $0.key.text, content: $0.value) }
        if let contentForAll { named.append((device: "*", content: contentForAll)) }
        return named.sorted { $0.device < $1.device }.map {
            ToDeviceRequest.DirectedMessage(user: user, device: $0.device.string, content: $0.content)
        }
    }
}
