// From the operator's files to settings: read, merge, check against the table of options, and collect everything that is wrong.

import MatrixCore

package struct ConfigurationReader {
    package struct Result: Sendable {
        /// nil where there is an error among the problems.
        package let configuration: ServerConfiguration?
        package let problems: [ConfigurationProblem]
        /// Names of options that stand in the files, that Synapse knows, and that this server does not act on.
        package let notBuilt: [String]

        package var errors: [ConfigurationProblem] { problems.filter { $0.severity == .error } }
        package var warnings: [ConfigurationProblem] { problems.filter { $0.severity == .warning } }

        /// The one line that names what is not acted on.
        package var notBuiltWarning: String? {
            notBuilt.isEmpty ? nil : "options without effect, as this server does not have them yet: \(notBuilt.joined(separator: ", "))"
        }
    }

    /// - Parameters:
    ///   - paths: files, and folders whose `*.yaml` are read in order of name. A later file's top-level options replace an earlier one's.
    ///   - keysDirectory: where the signing key is looked for when its path is not given; by default where the last file is.
    package static func read(_ paths: [String], keysDirectory: String? = nil) -> Result {
        var problems: [ConfigurationProblem] = []
        let files = expand(paths, &problems)
        var documents: [ConfigNode] = []
        for file in files {
            do { documents.append(try YAMLFile.read(file)) } catch { problems.append(error) }
        }
        guard problems.isEmpty else { return Result(configuration: nil, problems: problems, notBuilt: []) }
        let directory = keysDirectory ?? files.last.map(directory) ?? "."
        return read(documents: documents, lastFile: files.last ?? "homeserver.yaml", keysDirectory: directory)
    }

    /// The same from documents in memory.
    package static func read(documents: [ConfigNode], lastFile: String, keysDirectory: String) -> Result {
        var problems: [ConfigurationProblem] = []
        let entries = merge(documents, &problems)
        guard let serverName = serverName(entries, lastFile, &problems) else {
            // Everything else is checked all the same, against a name that stands for the missing one.
            let reading = apply(entries, ServerConfiguration(serverName: ServerName(trusted: "localhost")))
            ConfigurationChecks.check(reading.configuration, entries, file: lastFile, &problems)
            return Result(configuration: nil, problems: problems + reading.problems, notBuilt: reading.notBuilt)
        }
        var start = ServerConfiguration(serverName: serverName, signingKeyPath: "\(keysDirectory)/\(serverName).signing.key")
        start.listeners = [defaultListener]
        var reading = apply(entries, start)
        // What the service does, this server does not.
        if reading.configuration.login.authenticationService != nil {
            reading.configuration.passwordLoginEnabled = false
            reading.configuration.passwordReauthenticationEnabled = false
            reading.configuration.registration.allowsThirdPartyChanges = false
        }
        problems += reading.problems
        ConfigurationChecks.check(reading.configuration, entries, file: lastFile, &problems)
        let failed = problems.contains { $0.severity == .error }
        return Result(configuration: failed ? nil : reading.configuration, problems: problems, notBuilt: reading.notBuilt)
    }

    /// Where nothing is said: port 8008 on this machine only.
    private static let defaultListener = Listener(.tcp(addresses: ["::1", "127.0.0.1"], port: 8008))

    // MARK: Files

    private static func expand(_ paths: [String], _ problems: inout [ConfigurationProblem]) -> [String] {
        var files: [String] = []
        for path in paths {
            guard FileText.isDirectory(path) else {
                files.append(path)
                continue
            }
            guard let names = FileText.names(in: path) else {
                problems.append(ConfigurationProblem(at: SourceLocation(file: path, line: 0), "the folder cannot be read"))
                continue
            }
            files += names.filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }.map { "\(path)/\($0)" }.filter {
                !FileText.isDirectory($0)
            }
        }
        if files.isEmpty, problems.isEmpty {
            problems.append(
                ConfigurationProblem(
                    at: SourceLocation(file: paths.joined(separator: ", "), line: 0), "there is no configuration file here"))
        }
        return files
    }

    package static func directory(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }

    /// The top-level options of all documents; a later one replaces an earlier one.
    private static func merge(_ documents: [ConfigNode], _ problems: inout [ConfigurationProblem]) -> [ConfigNode.Entry] {
        var merged: [ConfigNode.Entry] = []
        for document in documents where !document.isNull {
            guard let entries = document.entries else {
                problems.append(ConfigurationProblem(at: document.location, "found \(document.kindInWords), expected a mapping of options"))
                continue
            }
            for entry in entries {
                if let index = merged.firstIndex(where: { $0.key == entry.key }) { merged[index] = entry } else { merged.append(entry) }
            }
        }
        return merged
    }

    private static func serverName(
        _ entries: [ConfigNode.Entry], _ file: String, _ problems: inout [ConfigurationProblem]
    ) -> ServerName? {
        guard let node = entries.first(where: { $0.key == "server_name" })?.node, !node.isNull else {
            problems.append(
                ConfigurationProblem(
                    at: SourceLocation(file: file, line: 0), option: "server_name",
                    "is required: found nothing, expected the name that ends every user's id, e.g. example.com"))
            return nil
        }
        guard let text = node.textValue else {
            problems.append(
                ConfigurationProblem(
                    at: node.location, option: "server_name", "found \(node.kindInWords), expected a host name, e.g. example.com"))
            return nil
        }
        do {
            return try ServerName(parsing: text)
        } catch {
            problems.append(
                ConfigurationProblem(
                    at: node.location, option: "server_name", "found \(text), expected a host name with an optional port, e.g. example.com")
            )
            return nil
        }
    }

    // MARK: Options

    private static func apply(_ entries: [ConfigNode.Entry], _ configuration: ServerConfiguration) -> ConfigurationOption.Reading {
        var reading = ConfigurationOption.Reading(configuration: configuration)
        apply(entries, ConfigurationOptions.all, prefix: "", &reading)
        return reading
    }

    private static func apply(
        _ entries: [ConfigNode.Entry], _ options: [String: ConfigurationOption], prefix: String,
        _ reading: inout ConfigurationOption.Reading
    ) {
        for entry in entries {
            let path = prefix + entry.key
            guard let option = options[entry.key] else {
                let nearest = NearestName.nearest(to: entry.key, among: options.keys)
                reading.warn(entry.keyLocation, path, "is not a known option" + (nearest.map { "; did you mean \(prefix)\($0)?" } ?? ""))
                continue
            }
            switch option.support {
            case .notBuilt: reading.notBuilt.append(path)
            case .ignored: break
            // An option without a value keeps its default, as in Synapse's own commented files.
            case _ where entry.node.isNull: break
            case .built(let read): read(entry.node, path, &reading)
            case .section(let members):
                guard let entries = entry.node.entries else {
                    reading.fail(entry.node, path, expected: "a mapping with \(members.map(\.name).joined(separator: ", "))")
                    continue
                }
                let table = Dictionary(members.map { ($0.name, $0) }) { first, _ in first }
                apply(entries, table, prefix: path + ".", &reading)
            }
        }
    }
}
