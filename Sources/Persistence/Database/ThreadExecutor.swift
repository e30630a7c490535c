// A thread that runs one actor's work.

import Glibc

/// A serial executor on a thread of its own, for an actor whose calls block (in libpq, in SQLite's disk access): what it
/// waits for never holds up Swift's shared threads.
///
/// `@unchecked Sendable`: `jobs` and `isStopped` are touched only while `mutex` is held, the other properties never change.
final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
    /// Bytes of stack: far more than libpq with TLS, SQLite and a store's code need, far less than the usual 8 MiB.
    private static let stackSize = 256 * 1024

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [UnownedJob] = []
    private var isStopped = false

    /// Starts the thread.
    init() throws(DatabaseError) {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        try start()
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        jobs.append(job)
        let wasEmpty = jobs.count == 1
        pthread_mutex_unlock(mutex)
        if wasEmpty { pthread_cond_signal(condition) }
    }

    /// Lets the thread end once it has run what is queued. Nothing may be enqueued afterwards: called when the actor goes away.
    func stop() {
        pthread_mutex_lock(mutex)
        isStopped = true
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(condition)
    }

    private func start() throws(DatabaseError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, Self.stackSize)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }

        // Signals are for the threads that expect them.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

        // The thread keeps the executor alive until it ends.
        let retained = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ThreadExecutor>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, retained.toOpaque())
        guard failure == 0 else {
            retained.release()
            throw DatabaseError(.unavailable, "cannot start a thread for a database connection (error \(failure))")
        }
    }

    private func run() {
        let executor = asUnownedSerialExecutor()
        var batch: [UnownedJob] = []
        while true {
            pthread_mutex_lock(mutex)
            while jobs.isEmpty && !isStopped { pthread_cond_wait(condition, mutex) }
            swap(&batch, &jobs)
            pthread_mutex_unlock(mutex)
            if batch.isEmpty { return }
            for job in batch { job.runSynchronously(on: executor) }
            batch.removeAll(keepingCapacity: true)
        }
    }
}
