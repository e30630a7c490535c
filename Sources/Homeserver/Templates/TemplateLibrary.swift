// Where templates come from: the operator's folders, and what is built in.

import MatrixCore
import ServerConfiguration

/// All templates by name: those of the operator's folders go before the built-in ones.
package struct TemplateLibrary: Sendable {
    private var templates: [String: Template] = [:]
    /// Files of the operator's that are no templates; an error only where somebody asks for them.
    private var failures: [String: TemplateError] = [:]
    private var custom: Set<String> = []
    /// What every template is given.
    private let values: TemplateValues

    private static let kinds = [".html", ".htm", ".txt", ".css", ".js", ".xml"]

    /// - Parameters:
    ///   - directories: the operator's folders; the first goes before the others.
    ///   - values: what every template is given.
    /// - Throws: `TemplateError` for a folder or a file that cannot be read, and for a template that takes the place of a built-in one and
    ///   is not well formed.
    package init(
        directories: [String], builtIn: [String: String] = BundledTemplates.all, values: TemplateValues = [:]
    ) throws(TemplateError) {
        self.values = values
        for (name, text) in builtIn { templates[name] = try Template(text, name: name) }
        for directory in directories.reversed() {
            guard let names = FileText.names(in: directory) else { throw TemplateError(directory, "the folder cannot be read") }
            for name in names where Self.kinds.contains(where: name.hasSuffix) && !FileText.isDirectory("\(directory)/\(name)") {
                try add(name, from: directory, isNeeded: builtIn[name] != nil)
            }
        }
    }

    private mutating func add(_ name: String, from directory: String, isNeeded: Bool) throws(TemplateError) {
        let text: String
        do { text = try FileText.read("\(directory)/\(name)") } catch { throw TemplateError("\(directory)/\(name)", error.message) }
        custom.insert(name)
        do {
            templates[name] = try Template(text, name: name)
            failures[name] = nil
        } catch {
            guard !isNeeded else { throw error }
            templates[name] = nil
            failures[name] = error
        }
    }

    /// Whether there is a template of this name.
    package func contains(_ name: String) -> Bool { templates[name] != nil || failures[name] != nil }

    /// Whether the operator has made the template: what it loads and runs is then the operator's business.
    package func isCustom(_ name: String) -> Bool { custom.contains(name) }

    /// - Throws: `TemplateError`.
    package func render(_ name: String, _ values: TemplateValues = [:]) throws(TemplateError) -> String {
        guard let template = try find(name) else { throw TemplateError(name, "there is no such template") }
        let renderer = TemplateRenderer(find: find)
        return try renderer.render(template, self.values.merging(values) { _, own in own })
    }

    private func find(_ name: String) throws(TemplateError) -> Template? {
        if let failure = failures[name] { throw failure }
        return templates[name]
    }
}
