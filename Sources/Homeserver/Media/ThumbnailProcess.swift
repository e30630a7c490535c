// The program that makes thumbnails, `martlet-thumbnailer`: what is started with what, and what it says.

import CShims
import Glibc
import MatrixCore
import ServerConfiguration

/// Has thumbnails of one image made by a process of its own, which ends with it. It waits for that process: to be run where that is fine.
struct ThumbnailProcess: Sendable {
    /// What became of an image.
    enum Outcome: Sendable {
        /// These were written.
        case made([ThumbnailJob: TemporaryFile])
        /// It is no image, or one of which none are made.
        case refused(String)
    }

    /// Seconds for all thumbnails of an image.
    private static let timeLimit = 40

    let program: String
    let pixelLimit: Int

    /// Beside the program that is running.
    static var besideThisProgram: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(own.prefix(upTo: own.lastIndex(of: "/") ?? own.startIndex))/martlet-thumbnailer"
    }

    var isThere: Bool { access(program, X_OK) == 0 }

    /// - Parameters:
    ///   - plan: says which thumbnails are to be made of an image.
    ///   - output: gives the name of a new file.
    func run(_ image: String, plan: (ImageShape) -> [ThumbnailJob], output: () -> String) throws -> Outcome {
        let process = try Running(program, [image, String(pixelLimit)], seconds: Self.timeLimit)
        defer { process.end() }
        guard let shape = process.readLine().flatMap(Self.shape) else { return .refused("it is no image that is read") }
        var made: [ThumbnailJob: TemporaryFile] = [:]
        // Smaller ones are made of the largest.
        for job in plan(shape).sorted(by: { $0.width * $0.height > $1.width * $1.height }) {
            let path = output()
            defer { if made[job] == nil { unlink(path) } }
            let format = job.contentType.drop { $0 != "/" }.dropFirst()
            let size = shape.drawnSize(of: job)
            guard process.write("\(job.method.rawValue) \(size.width) \(size.height) \(format) \(path)\n"), let line = process.readLine()
            else {
                return .refused("it takes too much time or memory")
            }
            if line == "done" { made[job] = try TemporaryFile(path, isNew: false) }
        }
        return made.isEmpty ? .refused("it is damaged") : .made(made)
    }

    /// `image WIDTH HEIGHT PAGES`.
    private static func shape(_ line: String) -> ImageShape? {
        let words = line.split(separator: " ")
        guard words.count == 4, words[0] == "image", let width = Int(words[1]), let height = Int(words[2]), let pages = Int(words[3]),
            width > 0, height > 0
        else { return nil }
        return ImageShape(width: width, height: height, isAnimated: pages > 1)
    }
}

/// A process with which lines are exchanged, until a time.
private final class Running {
    private let process: pid_t
    private let input: Int32
    private let output: Int32
    private let deadline: ContinuousClock.Instant
    private var received: [UInt8] = []

    /// The longest line that is understood.
    private static let lineLimit = 4096

    init(_ program: String, _ arguments: [String], seconds: Int) throws {
        deadline = .now + .seconds(seconds)
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        var input: Int32 = -1
        var output: Int32 = -1
        let error = words.withUnsafeMutableBufferPointer { martlet_spawn(program, $0.baseAddress, &process, &input, &output) }
        guard error == 0 else { throw MediaFileError("start", program, error) }
        self.process = process
        self.input = input
        self.output = output
    }

    /// - Returns: false where it has gone.
    func write(_ line: String) -> Bool {
        let bytes = Array(line.utf8)
        // Shorter than a pipe is deep, and nothing else waits in it.
        return Glibc.write(input, bytes, bytes.count) == bytes.count
    }

    /// A line without its end; nil when the process has ended, or its time.
    func readLine() -> String? {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeFirst(end + 1)
                return line
            }
            guard received.count < Self.lineLimit else { return nil }
            let rest = (deadline - .now).components
            guard rest.seconds >= 0 else { return nil }
            var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Int32(min(rest.seconds * 1000 + 1, 60_000)))
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { return nil }
            var chunk = [UInt8](repeating: 0, count: 512)
            let count = read(output, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            received += chunk[..<count]
        }
    }

    /// Ends it, whatever it does.
    func end() {
        close(input)
        kill(process, SIGKILL)
        close(output)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }
}
