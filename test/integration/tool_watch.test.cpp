// `dynconf watch --json` beside a writer while etcd is killed and restarted: what it prints has to be exactly what
// happened. What did happen is read from etcd's own history afterwards, revision by revision, so that also the writes
// whose answer was lost are known.
//
// DYNCONF_TEST_SECONDS: how long each version of etcd is treated like that; 7 by default.

#include "integration/scene.hpp"

#include "support/watch_program.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

using namespace dynconf::test;
using nlohmann::json;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using change = std::map<std::string, std::optional<std::string>>;  // key: its new value, or none: deleted
using history = std::map<std::int64_t, change>;                    // by revision

bool watched(std::string_view key) { return key.starts_with("a/") || key.starts_with("b/"); }

strings watch_arguments(const etcd_process& etcd) { return {"a/", "b/", "--endpoints", etcd.endpoint()}; }

/// Changes keys without pause in a thread of its own, and remembers which revision was said to do what.
class writer {
public:
    explicit writer(const etcd_process& etcd) : admin_(etcd), thread_([this] { run(); }) {}
    ~writer() { stop(); }

    void stop() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    unsigned acknowledged() const noexcept { return acknowledged_; }
    unsigned unknown() const noexcept { return unknown_; }
    /// After stop().
    const history& confirmed() const noexcept { return confirmed_; }

private:
    std::string any_key(const char* prefix) { return prefix + std::to_string(random_() % 12); }

    void run() {
        for (unsigned n = 0; !stop_; ++n) {
            change what;
            try {
                const std::int64_t revision = write("value " + std::to_string(n), what);
                confirmed_[revision] = what;
                ++acknowledged_;
            } catch (const std::exception&) {
                ++unknown_;
            }
            std::this_thread::sleep_for(milliseconds(4));  // as much as can be checked afterwards
        }
    }

    std::int64_t write(const std::string& value, change& what) {
        const std::string a = any_key("a/");
        const std::string b = any_key("b/");
        switch (random_() % 5) {
            case 0: what = {{a, value}}; return admin_.put(a, value);
            case 1: what = {{b, value}}; return admin_.put(b, value);
            case 2:
                what = {{a, std::nullopt}};
                return admin_.erase(a);  // perhaps of nothing: then without a revision of its own
            case 3: what = {{a, value}, {b, value}}; return admin_.put_all({{a, value}, {b, value}});
            default: {
                // "ab" lies between the two prefixes, "z" behind them: neither may be shown.
                std::vector<std::pair<std::string, std::string>> items{{"ab", value}, {"z", value}};
                for (int i = 0; i < 9; ++i) items.emplace_back((i % 2 ? "a/" : "b/") + std::to_string(i), value);
                what = change(items.begin(), items.end());
                return admin_.put_all(items);
            }
        }
    }

    etcd_admin admin_;
    std::mt19937 random_{std::random_device{}()};
    history confirmed_;
    std::atomic<bool> stop_{false};
    std::atomic<unsigned> acknowledged_{0};
    std::atomic<unsigned> unknown_{0};
    std::thread thread_;
};

std::map<std::string, std::string> content_at(const etcd_admin& admin, std::int64_t revision) {
    std::map<std::string, std::string> all;
    for (const auto& [key, item] : admin.read("", revision))
        if (watched(key)) all[key] = item.value;
    return all;
}

/// What each revision after `first` did to the watched keys. Other revisions are left out.
history true_history(const etcd_admin& admin, std::int64_t first, std::int64_t last) {
    history all;
    auto before = admin.read("", first);
    for (std::int64_t revision = first + 1; revision <= last; ++revision) {
        auto after = admin.read("", revision);
        change what;
        for (const auto& [key, item] : after)
            if (watched(key) && item.mod_revision == revision) what[key] = item.value;
        for (const auto& [key, item] : before)
            if (watched(key) && !after.contains(key)) what[key] = std::nullopt;
        if (!what.empty()) all[revision] = std::move(what);
        before = std::move(after);
    }
    return all;
}

change changes_of(const json& line) {
    change what;
    for (const json& e : line.at("events")) {
        const auto key = e.at("key").get<std::string>();
        if (what.contains(key)) throw std::runtime_error("twice in one line: " + key);
        if (line.at("type") == "update" && e.at("mod_revision") != line.at("revision"))
            throw std::runtime_error("of another revision: " + line.dump());
        if (e.at("type") == "put") what[key] = e.at("value").get<std::string>();
        else what[key] = std::nullopt;
    }
    return what;
}

/// What was printed, understood.
struct account {
    std::map<std::string, std::string> content;  // replayed
    history updates;
    std::vector<std::pair<std::int64_t, std::int64_t>> skipped;  // (after, up to) of each resync
    std::int64_t snapshot = 0;
    unsigned interruptions = 0;
    strings faults;
};

account understand(const std::vector<watch_program::line>& lines) {
    account a;
    std::int64_t at = 0;
    std::string state;
    for (const watch_program::line& printed : lines) {
        const json line = json::parse(printed.text);
        const auto type = line.at("type").get<std::string>();
        if (type == "state") {
            state = line.at("state").get<std::string>();
            if (state == "stale") ++a.interruptions;
            continue;
        }
        const auto revision = line.at("revision").get<std::int64_t>();
        if (type == "snapshot") {
            if (at != 0) a.faults.push_back("a second snapshot");
            a.snapshot = revision;
            a.content = line.at("keys").get<std::map<std::string, std::string>>();
        } else {
            if (at == 0) a.faults.push_back("changes before the snapshot");
            if (type == "update" && revision <= at)
                a.faults.push_back("revision " + std::to_string(revision) + " after " + std::to_string(at));
            if (type == "update" && state != "live") a.faults.push_back("an update while " + state);
            const change what = changes_of(line);
            for (const auto& [key, value] : what) {
                if (value) a.content[key] = *value;
                else a.content.erase(key);
            }
            if (type == "update") a.updates[revision] = what;
            else a.skipped.emplace_back(at, revision);
        }
        at = revision;
    }
    return a;
}

/// The revisions at which both histories differ.
std::vector<std::int64_t> differences(const history& a, const history& b) {
    std::set<std::int64_t> revisions;
    for (const auto& [revision, what] : a) revisions.insert(revision);
    for (const auto& [revision, what] : b) revisions.insert(revision);
    std::vector<std::int64_t> differ;
    for (const std::int64_t r : revisions)
        if (!a.contains(r) || !b.contains(r) || a.at(r) != b.at(r)) differ.push_back(r);
    return differ;
}

/// Until the writer has had so many answers more.
bool await_writes(const writer& w, unsigned more, steady::duration limit) {
    const unsigned goal = w.acknowledged() + more;
    for (const auto due = steady::now() + limit; w.acknowledged() < goal; std::this_thread::sleep_for(milliseconds(2)))
        if (steady::now() >= due) return false;
    return true;
}

}  // namespace

TEST_CASE(
    "dynconf watch: every revision once, whole and in order, while etcd is killed and restarted", "[tool_watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put_all({{"a/1", "before"}, {"b/1", "before"}, {"ab", "not shown"}});
    const std::int64_t first = admin.revision();
    watch_program program(DYNCONF_TOOL, watch_arguments(etcd));
    REQUIRE(program.await("snapshot", first, seconds(20)));

    // Some times it is cut off while it follows, the others wherever it is: between two tries, or catching up.
    constexpr unsigned cut_while_live = 3;
    unsigned downs = 0;
    writer other(etcd);
    for (const auto due = steady::now() + lasting(7s); steady::now() < due || downs < cut_while_live; ++downs) {
        REQUIRE(await_writes(other, 100, seconds(60)));
        if (downs < cut_while_live)
            REQUIRE(program.await("update", admin.put("a/mark", std::to_string(downs)), seconds(60)));
        if (downs % 3 == 2) CHECK(etcd.terminate());
        else etcd.kill();
        etcd.start();
    }
    REQUIRE(await_writes(other, 100, seconds(60)));
    other.stop();
    const std::int64_t last = admin.put("a/end", "end");
    CHECK(program.await("update", last, seconds(60)));
    CHECK(program.end(seconds(20)) == 0);

    const account printed = understand(program.lines());
    const history truth = true_history(admin, first, last);
    WARN(binary << ": " << last - first << " revisions, " << downs << " restarts, " << printed.interruptions
                << " interruptions told, " << other.unknown() << " writes without an answer");
    CHECK(printed.faults == strings{});
    CHECK(printed.snapshot == first);
    CHECK(printed.skipped.empty());
    CHECK(differences(printed.updates, truth) == std::vector<std::int64_t>{});
    CHECK(printed.content == content_at(admin, last));
    CHECK(printed.interruptions >= cut_while_live);
    for (const auto& [revision, what] : other.confirmed()) {  // that the test itself has seen what happened
        change ours;
        for (const auto& [key, value] : what)
            if (watched(key)) ours[key] = value;
        const bool deleted_nothing =
            ours.size() == 1 && !ours.begin()->second && (!truth.contains(revision) || truth.at(revision) != ours);
        if (!deleted_nothing) CHECK((truth.contains(revision) && truth.at(revision) == ours));
    }
}

TEST_CASE("dynconf watch: what was compacted meanwhile is told as one resync", "[tool_watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put_all({{"a/1", "before"}, {"b/1", "before"}});
    const std::int64_t first = admin.revision();
    watch_program program(DYNCONF_TOOL, watch_arguments(etcd));
    REQUIRE(program.await("snapshot", first, seconds(20)));
    std::int64_t compacted = 0;
    history truth;
    for (int round = 0; round < 2; ++round) {
        const std::int64_t followed = admin.put("b/seen", std::to_string(round));
        REQUIRE(program.await("update", followed, seconds(20)));
        program.process().stop();  // it may not be quicker than the compaction
        etcd.kill();
        etcd.start();
        admin.put("a/1", "between");
        admin.put_all({{"a/1", "after " + std::to_string(round)}, {"b/2", "after"}});
        compacted = round == 0 ? admin.erase("b/1") : admin.put("a/3", "three");
        admin.compact(compacted);
        program.process().signal(SIGCONT);
        REQUIRE(program.await("resync", compacted, seconds(30)));
    }
    const std::int64_t last = admin.put_all({{"a/end", "end"}, {"b/end", "end"}});
    CHECK(program.await("update", last, seconds(30)));
    program.process().signal(SIGINT);
    CHECK(program.process().wait(seconds(20)) == 0);

    const account printed = understand(program.lines());
    CHECK(printed.faults == strings{});
    CHECK(printed.skipped.size() == 2);
    CHECK(printed.updates.size() == 3);
    CHECK(printed.content == content_at(admin, last));
}
