// What systemd hears of us, on a socket of the test.

import Glibc
import MatrixAPI
import Testing

@Suite struct ServiceManagerTests {
    /// A datagram socket such as systemd's; `name` begins with `@` for the abstract namespace.
    private final class Receiver {
        let descriptor: Int32
        let name: String

        init(_ name: String) throws {
            self.name = name
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            var bytes = Array(name.utf8)
            if name.hasPrefix("@") { bytes[0] = 0 }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
            }
            try #require(bound == 0)
            var timeout = timeval(tv_sec: 5, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }

        deinit {
            close(descriptor)
            if !name.hasPrefix("@") { unlink(name) }
        }

        func next() -> String {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
        }
    }

    @Test(
        "readiness, life and end are told, over a path and over an abstract name", arguments: ["/tmp/martlet-notify-", "@martlet-notify-"])
    func notifications(prefix: String) throws {
        let receiver = try Receiver(prefix + String(UInt32.random(in: 0...UInt32.max)))
        let environment = ["NOTIFY_SOCKET": receiver.name, "WATCHDOG_USEC": "20000000"]
        let manager = ServiceManager { environment[$0] }
        manager.ready("Running")
        #expect(receiver.next().hasPrefix("READY=1\nSTATUS=Running\n"))
        manager.alive()
        #expect(receiver.next() == "WATCHDOG=1")
        manager.stopping()
        #expect(receiver.next().hasPrefix("STOPPING=1"))
        #expect(manager.watchdogInterval == .seconds(10))
    }

    @Test("a manager that does not read is not waited for")
    func fullSocket() throws {
        let receiver = try Receiver("@martlet-notify-" + String(UInt32.random(in: 0...UInt32.max)))
        let manager = ServiceManager { $0 == "NOTIFY_SOCKET" ? receiver.name : nil }
        let taken = (0..<10_000).count { _ in manager.send("WATCHDOG=1") }
        #expect(taken > 0 && taken < 10_000)
    }

    @Test("without a manager, or with one that has gone, nothing happens")
    func nobody() {
        #expect(!ServiceManager { _ in nil }.send("READY=1"))
        #expect(!ServiceManager { $0 == "NOTIFY_SOCKET" ? "/nowhere/socket" : nil }.send("READY=1"))
        #expect(!ServiceManager { $0 == "NOTIFY_SOCKET" ? String(repeating: "/x", count: 200) : nil }.send("READY=1"))
        #expect(ServiceManager { $0 == "WATCHDOG_USEC" ? "20000000" : nil }.watchdogInterval == nil)
        let another = ["NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"]
        #expect(ServiceManager { another[$0] }.watchdogInterval == nil)
    }
}
