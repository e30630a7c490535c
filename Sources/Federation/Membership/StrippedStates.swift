// What servers tell of rooms to those who are not in them. Client-Server API §Stripped state.

import MatrixCore

/// Stripped state of another server, as far as it is of use.
package enum StrippedStates {
    /// How many entries are kept, and how many bytes each may have.
    private static let countLimit = 100
    private static let byteLimit = 65_536

    /// A JSON array of the entries that are well formed; from whole events the rest is left out.
    package static func accepted(_ list: JSON?) -> [UInt8] {
        var writer = JSONWriter()
        writer.array { array in
            guard let list, list.isArray else { return }
            for entry in list.elements.prefix(countLimit) {
                guard let type = entry["type"]?.string, let sender = entry["sender"]?.string, let stateKey = entry["state_key"]?.string,
                    let content = entry["content"], content.isObject, content.bytes.count <= byteLimit
                else { continue }
                array.object { event in
                    event.member("content", content)
                    event.member("sender", sender)
                    event.member("state_key", stateKey)
                    event.member("type", type)
                }
            }
        }
        return writer.bytes
    }
}
