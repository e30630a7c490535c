// What is kept of other servers' users only for a while.

import Logging
import MatrixCore
import ServiceLifecycle

/// Takes away, now and every hour, what is of no use any more.
package struct RemoteUpkeep: Service {
    private let lists: RemoteDeviceLists
    private let toDevice: ToDeviceService
    private let logger: Logger

    package init(lists: RemoteDeviceLists, toDevice: ToDeviceService, logger: Logger) {
        self.lists = lists
        self.toDevice = toDevice
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await lists.forgetStrangers()
                    try await toDevice.forgetReceivedMessages()
                } catch {
                    logger.warning("could not forget what is of no use any more", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .seconds(3600))
            }
        }
    }
}
