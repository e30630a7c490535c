// Tells the service manager how we are: systemd's notification protocol, sd_notify(3), sd_watchdog_enabled(3).

import Glibc

/// The datagram socket that `NOTIFY_SOCKET` names; without that variable every call does nothing.
package struct ServiceManager: Sendable {
    /// The socket's address as bytes: a path, or a name in the abstract namespace with a leading NUL.
    private let address: [UInt8]?
    /// How often the manager wants to hear from us; nil: never.
    package let watchdogInterval: Duration?

    package init(environment: (String) -> String? = ServiceManager.environment) {
        address = environment("NOTIFY_SOCKET").flatMap(Self.address)
        watchdogInterval = Self.watchdog(environment, isNotifiable: address != nil)
    }

    package static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Started: requests are answered.
    package func ready(_ status: String) { send("READY=1\nSTATUS=\(status)\nMAINPID=\(getpid())") }
    package func stopping() { send("STOPPING=1\nSTATUS=Stopping") }
    package func alive() { send("WATCHDOG=1") }

    /// Around the work that SIGHUP asks for.
    package func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)")
    }

    /// Sends `state`, without waiting where the manager does not read.
    ///
    /// - Returns: whether it was taken. Nothing depends on it: a manager that has gone is no reason to stop.
    @discardableResult
    package func send(_ state: String) -> Bool {
        guard let address else { return false }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: address) }
        // The length tells where an abstract name ends; a path ends with its NUL, which is counted as well.
        let isAbstract = address.first == 0
        let length = MemoryLayout<sa_family_t>.size + address.count + (isAbstract ? 0 : 1)
        let bytes = Array(state.utf8)
        let sent = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), $0, socklen_t(length))
            }
        }
        return sent == bytes.count
    }

    private static func address(_ text: String) -> [UInt8]? {
        var bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else { return nil }
        switch first {
        case UInt8(ascii: "/"): return bytes
        case UInt8(ascii: "@"):
            bytes[0] = 0
            return bytes
        default: return nil
        }
    }

    /// Half of the time after which the manager would restart us.
    private static func watchdog(_ environment: (String) -> String?, isNotifiable: Bool) -> Duration? {
        guard isNotifiable, let text = environment("WATCHDOG_USEC"), let microseconds = Int64(text), microseconds > 0 else { return nil }
        if let process = environment("WATCHDOG_PID"), process != String(getpid()) { return nil }
        return .microseconds(microseconds / 2)
    }
}
