// What other servers tell, by its type. Server-Server API §EDUs.

import Federation
import Logging
import MatrixCore
import Persistence
import Rooms

/// Gives each EDU to what takes in its type. One that is wrong is dropped alone, with a line in the log.
package struct IncomingEDUs: EDUReceiver {
    private let handlers: [ByteString: any EDUHandler]
    private let logger: Logger

    package init(_ handlers: [any EDUHandler], logger: Logger) {
        var byType: [ByteString: any EDUHandler] = [:]
        for handler in handlers { for type in handler.types { byType[type] = handler } }
        self.handlers = byType
        self.logger = logger
    }

    package func receive(_ edu: EDU, from origin: ServerName) async throws {
        guard let handler = handlers[edu.type] else {
            return logger.debug("an EDU of unknown type", metadata: ["origin": "\(origin)", "type": "\(edu.type)"])
        }
        do {
            try await handler.receive(edu.content, from: origin)
        } catch let error as MalformedEDU {
            logger.info("an EDU was dropped", metadata: ["origin": "\(origin)", "type": "\(edu.type)", "error": "\(error)"])
        } catch let error as MatrixError {
            logger.debug("an EDU was refused", metadata: ["origin": "\(origin)", "type": "\(edu.type)", "error": "\(error)"])
        }
    }
}

/// Takes in the EDUs of some types.
package protocol EDUHandler: Sendable {
    var types: [ByteString] { get }

    /// - Throws: `MalformedEDU` or `MatrixError` for what is dropped; another error where it could not be stored.
    func receive(_ content: JSON, from origin: ServerName) async throws
}
