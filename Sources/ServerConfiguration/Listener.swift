// One of the `listeners`: where the server can be reached, and for what.

package struct Listener: Sendable, Equatable {
    /// A port on addresses, or a socket in the file system.
    package enum Binding: Sendable, Equatable {
        case tcp(addresses: [String], port: Int)
        /// `path`, and its `mode` as permission bits.
        case unix(path: String, mode: UInt32)
    }

    package enum Resource: String, Sendable, Hashable, CaseIterable {
        case client, consent, federation, health, keys, media, metrics, openid, replication, `static`
    }

    package var binding: Binding
    package var tls = false
    /// Whether `X-Forwarded-For` and `X-Forwarded-Proto` are believed: only behind a proxy that sets them.
    package var forwarded = false
    package var resources: Set<Resource> = [.client, .federation]
    /// The resources whose responses may be compressed.
    package var compressed: Set<Resource> = []
    /// The name in the log; by default the port.
    package var tag: String

    package init(_ binding: Binding, tag: String? = nil) {
        self.binding = binding
        switch binding {
        case .tcp(_, let port): self.tag = tag ?? String(port)
        case .unix: self.tag = tag ?? "unix"
        }
    }

    /// Where a listener without `bind_addresses` listens: everywhere. The second is not an error where the first covers it.
    package static let defaultAddresses = ["::", "0.0.0.0"]
}
