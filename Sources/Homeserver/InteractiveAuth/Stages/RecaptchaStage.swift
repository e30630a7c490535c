// Client-Server API §Google ReCaptcha.

import Federation
import Logging
import MatrixCore
import ServerConfiguration

/// Has the captcha's service tell whether its riddle was solved.
package struct RecaptchaStage: InteractiveAuthStage {
    package static let type = "m.login.recaptcha"
    package let publicKey: String
    private let privateKey: String
    private let url: String
    private let http: OutboundHTTP
    private let logger: Logger

    /// - Parameter http: for addresses that the operator has chosen.
    /// - Returns: nil where the options hold no keys.
    package init?(_ options: CaptchaOptions, http: OutboundHTTP, logger: Logger) {
        guard let privateKey = options.privateKey, !privateKey.isEmpty else { return nil }
        publicKey = options.publicKey ?? ""
        self.privateKey = privateKey
        url = options.verificationURL
        self.http = http
        self.logger = logger
    }

    package var parameters: JSONObject? { ["public_key": .string(publicKey)] }

    /// Characters of what the riddle gives.
    private static let responseLimit = 8192

    package func verify(_ submission: StageSubmission) async throws -> StageOutcome {
        guard let response = submission.auth["response"]?.string, response.utf8.count <= Self.responseLimit else {
            throw MatrixError.captchaNeeded
        }
        let form = [("secret", privateKey), ("response", response), ("remoteip", submission.address)]
        var request = OutboundHTTP.Request(url)
        request.method = "POST"
        request.headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        request.body = Array(form.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&").utf8)
        let isSolved: Bool
        do throws(OutboundFailure) {
            isSolved = try await http.send(request).json?["success"]?.bool == true
        } catch {
            logger.warning("the captcha's service did not answer", metadata: ["error": "\(error)"])
            throw MatrixError.unknown("The captcha cannot be checked now", status: 502)
        }
        guard isSolved else { throw MatrixError.captchaInvalid }
        return StageOutcome()
    }
}
