/// Runs a body in so many tasks at once and waits for all of them; the first error cancels the others and is thrown.
///
/// In groups of groups: what a task group does when a child ends grows with the number of its children.
func withManyTasks(_ count: Int, _ body: @escaping @Sendable (_ index: Int) async throws -> Void) async throws {
    let groupSize = 256
    try await withThrowingDiscardingTaskGroup { groups in
        for first in stride(from: 0, to: count, by: groupSize) {
            groups.addTask {
                try await withThrowingDiscardingTaskGroup { group in
                    for index in first..<min(first + groupSize, count) {
                        group.addTask { try await body(index) }
                    }
                }
            }
        }
    }
}
