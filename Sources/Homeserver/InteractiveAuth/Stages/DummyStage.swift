// Client-Server API §Dummy Auth.

/// Proves nothing: a flow has to have a stage.
package struct DummyStage: InteractiveAuthStage {
    package static let type = "m.login.dummy"

    package init() {}

    package func verify(_ submission: StageSubmission) async throws -> StageOutcome { StageOutcome() }
}
