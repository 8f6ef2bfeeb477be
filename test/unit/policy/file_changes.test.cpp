#include "policy/file_changes.hpp"

#include "support/catch.hpp"

using namespace std::chrono_literals;
using dynconf::policy::file_changes;
using dynconf::policy::file_stamp;
using verdict = file_changes::verdict;

namespace {

constexpr file_changes::wall_time start = 1'000'000h;

file_stamp stamp(std::uint64_t inode, std::uint64_t size, file_changes::wall_time changed) {
    file_stamp one;
    one.device = 1;
    one.inode = inode;
    one.size = size;
    one.modified = one.changed = changed;
    return one;
}

/// Reads what is there.
verdict read(file_changes& files, const file_changes::stamps& there, file_changes::wall_time now, bool usable) {
    files.reading(there, now);
    return files.read(usable);
}

}  // namespace

TEST_CASE("files: read once, and again after any change of any of them", "[policy][tls]") {
    const file_changes::stamps first{stamp(1, 100, start - 1h), stamp(2, 200, start - 1h)};
    file_changes files;
    CHECK(files.due(first, start));
    CHECK(read(files, first, start, true) == verdict::take);
    CHECK_FALSE(files.due(first, start));
    CHECK_FALSE(files.due(first, start + 1000h));

    for (int what = 0; what < 6; ++what) {
        INFO(what);
        file_changes::stamps there = first;
        if (what == 0) there[1].inode = 3;                 // renamed into place
        if (what == 1) there[0].size = 101;
        if (what == 2) there[0].modified += 1ns;
        if (what == 3) there[1].changed += 1ns;            // its permissions
        if (what == 4) there[0] = file_stamp();            // deleted
        if (what == 5) there.push_back(stamp(4, 1, start - 1h));   // one more in a directory
        file_changes other = files;
        CHECK(other.due(there, start + 1h));
        CHECK(read(other, there, start + 1h, true) == verdict::replace);
        CHECK_FALSE(other.due(there, start + 1h));
        CHECK(other.due(first, start + 1h));
    }
}

TEST_CASE("files: what cannot be used leaves what was read before, until the next change", "[policy][tls]") {
    const file_changes::stamps good{stamp(1, 100, start - 1h)}, bad{stamp(1, 50, start + 1h)}, healed{stamp(1, 100, start + 3h)};
    file_changes files;
    read(files, good, start, true);
    CHECK(files.due(bad, start + 2h));
    CHECK(read(files, bad, start + 2h, false) == verdict::keep);
    CHECK_FALSE(files.due(bad, start + 2h));   // once is enough
    CHECK(files.due(healed, start + 4h));
    CHECK(read(files, healed, start + 4h, true) == verdict::replace);
    // Back to the old content is a change as well.
    CHECK(files.due(good, start + 4h));
}

TEST_CASE("files: as long as nothing was usable each time is a try, whatever the stamps say", "[policy][tls]") {
    const file_changes::stamps there{stamp(1, 100, start - 1h)};
    file_changes files;
    CHECK(read(files, there, start, false) == verdict::fail);
    CHECK(files.due(there, start));
    CHECK(read(files, there, start, false) == verdict::fail);
    CHECK(files.due(there, start));
    CHECK(read(files, there, start, true) == verdict::take);
    CHECK_FALSE(files.due(there, start));
}

TEST_CASE("files: read right after a change they are read once more, since another change may look the same", "[policy][tls]") {
    const file_changes::stamps there{stamp(1, 100, start - 1h), stamp(2, 100, start)};
    file_changes files;
    read(files, there, start + 1ms, true);
    CHECK_FALSE(files.due(there, start + 1ms));
    CHECK_FALSE(files.due(there, start + file_changes::settle - 1ms));
    CHECK(files.due(there, start + file_changes::settle));
    file_changes other = files;
    CHECK(read(files, there, start + file_changes::settle, true) == verdict::take);   // no news
    CHECK_FALSE(files.due(there, start + 1h));
    // It was half written the first time, or is the second time.
    CHECK(read(other, there, start + file_changes::settle, false) == verdict::keep);
    CHECK(read(other, there, start + file_changes::settle, false) == verdict::keep_still);
    CHECK(read(other, there, start + file_changes::settle, true) == verdict::replace);

    // A file system whose clock is ahead does not have them read all the time.
    file_changes ahead;
    const file_changes::stamps tomorrow{stamp(1, 100, start + 24h)};
    read(ahead, tomorrow, start, true);
    CHECK_FALSE(ahead.due(tomorrow, start + 1h));
    CHECK(ahead.due(tomorrow, start + 25h));
    read(ahead, tomorrow, start + 25h, true);
    CHECK_FALSE(ahead.due(tomorrow, start + 26h));
}

TEST_CASE("files: without any there is nothing to read again", "[policy][tls]") {
    file_changes files;
    CHECK(files.due({}, start));
    CHECK(read(files, {}, start, true) == verdict::take);
    CHECK_FALSE(files.due({}, start + 1h));
}
