#include "soak/judge.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace dynconf::test {

using nlohmann::json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t most_faults = 50;   // the first say it all

std::string joined(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& n : names) text += (text.empty() ? "" : " ") + n;
    return text;
}

}  // namespace

void watch_judge::fault(std::string text) {
    if (faults_.size() < most_faults) faults_.push_back(std::move(text));
}

void watch_judge::on_line(clock::time_point at, std::string_view text) {
    try {
        const json line = json::parse(text);
        const auto type = line.at("type").get<std::string>();
        if (type == "state") return on_state(at, line.at("state").get<std::string>());
        const auto revision = line.at("revision").get<std::int64_t>();
        const std::string name = type + " " + std::to_string(revision);
        if (type == "snapshot") {
            if (snapshot_) fault(name + ": a second snapshot");
            snapshot_ = revision;
            first_content_ = content_ = line.at("keys").get<content>();
            if (line.contains("keys_base64")) fault(name + ": bytes that nobody wrote");
        } else if (type == "update" || type == "resync") {
            if (!snapshot_) fault(name + ": before the snapshot");
            const bool update = type == "update";
            if (update && revision <= at_) fault(name + ": after revision " + std::to_string(at_));
            if (!update) check_resync(at, revision, line.value("reason", std::string("none")));
            printed_update u{revision, {}, {}, {}};
            for (const json& e : line.at("events")) {
                const auto key = e.at("key").get<std::string>();
                const bool put = e.at("type") == "put";
                if (!(put ? u.puts : u.deletes).insert(key).second || (put ? u.deletes : u.puts).contains(key))
                    fault(name + ": " + key + " twice");
                if (update && e.at("mod_revision") != revision) fault(name + ": holds an event of another revision");
                if (put) {
                    const auto value = e.at("value").get<std::string>();
                    if (update && !u.value.empty() && u.value != value) fault(name + ": values of two writes");
                    u.value = value;
                    content_[key] = value;
                } else {
                    if (content_.erase(key) == 0) fault(name + ": deletes " + key + ", which was not there");
                }
            }
            if (update) updates_.push_back(std::move(u));
            else resyncs_.push_back({at_, revision, updates_.size(), content_});
        } else {
            fault("a line of an unknown type: " + type);
            return;
        }
        at_ = revision;
        covered_.emplace_back(revision, at);
    } catch (const std::exception& e) {
        fault("a line that cannot be read (" + std::string(e.what()) + "): " + std::string(text.substr(0, 200)));
    }
}

void watch_judge::on_state(clock::time_point at, const std::string& state) {
    if (state != "starting" && state != "live" && state != "stale") fault("an unknown state: " + state);
    if (state == "live" && !snapshot_) fault("live before the snapshot");
    if (state == "live" && state_ != "live") {
        live_.push_back({at, clock::time_point::max()});
        if (not_live_since_)
            figures_.longest_not_live =
                std::max(figures_.longest_not_live, duration_cast<milliseconds>(at - *not_live_since_));
        not_live_since_.reset();
    }
    if (state != "live" && state_ == "live") {
        live_.back().to = at;
        not_live_since_ = at;
        ++figures_.times_not_live;
    }
    state_ = state;
}

void watch_judge::check_resync(clock::time_point at, std::int64_t to, const std::string& reason) {
    ++figures_.resyncs;
    const std::string name = "resync " + std::to_string(to) + " after " + std::to_string(at_);
    if (reason == "compacted") {
        const bool needed = std::any_of(compactions_.begin(), compactions_.end(),
            [&](const auto& c) { return c.first <= at && c.second > at_; });
        if (!needed) fault(name + ": no compaction made it necessary");
        if (to < at_) fault(name + ": went back");
    } else if (reason == "store_replaced") {
        const bool needed = std::any_of(replaced_.begin(), replaced_.end(), [&](const auto& t) { return t <= at; });
        if (!needed) fault(name + ": the store was not replaced");
    } else {
        fault(name + ": because " + reason);
    }
}

std::vector<std::string> watch_judge::finish(const content& final_content, clock::time_point now) {
    if (!snapshot_) fault("no snapshot");
    if (state_ != "live") fault("not live at the end, but " + state_);
    if (content_ != final_content) {
        std::set<std::string> differ;
        for (const auto& [key, value] : content_)
            if (const auto f = final_content.find(key); f == final_content.end() || f->second != value) differ.insert(key);
        for (const auto& [key, value] : final_content)
            if (!content_.contains(key)) differ.insert(key);
        fault("the content is not etcd's at the end: " + joined(differ));
    }
    check_history();
    check_age(now);
    return faults_;
}

void watch_judge::check_history() {
    figures_.revisions = updates_.size();
    std::map<std::string, const written*> by_value;
    for (const written& w : writes_) by_value[w.value] = &w;
    std::map<std::string, std::int64_t> printed;
    content before = first_content_;
    auto resync = resyncs_.begin();
    for (std::size_t i = 0; i < updates_.size(); ++i) {
        for (; resync != resyncs_.end() && resync->updates <= i; ++resync) before = resync->then;
        const printed_update& u = updates_[i];
        const auto w = by_value.find(u.value);
        if (w == by_value.end()) {
            fault("revision " + std::to_string(u.revision) + ": nobody wrote '" + u.value + "'");
        } else {
            if (const auto [first, fresh] = printed.emplace(u.value, u.revision); !fresh)
                fault("'" + u.value + "' printed as revision " + std::to_string(first->second) + " and "
                    + std::to_string(u.revision));
            check_update(*w->second, u, before);
        }
        for (const std::string& key : u.puts) before[key] = u.value;
        for (const std::string& key : u.deletes) before.erase(key);
    }
    for (const written& w : writes_) {
        if (!w.revision) {
            ++figures_.unknown;
            figures_.unknown_executed += printed.count(w.value);
            continue;
        }
        ++figures_.acknowledged;
        if (snapshot_ && *w.revision <= *snapshot_) continue;
        const bool skipped = std::any_of(resyncs_.begin(), resyncs_.end(),
            [&](const auto& s) { return *w.revision > s.after && *w.revision <= s.up_to; });
        if (!skipped && !printed.contains(w.value))
            fault("revision " + std::to_string(*w.revision) + " ('" + w.value + "') is missing");
    }
}

void watch_judge::check_update(const written& w, const printed_update& u, const content& before) {
    const std::string name = "revision " + std::to_string(u.revision) + " ('" + u.value + "')";
    if (w.revision && *w.revision != u.revision)
        fault(name + ": was acknowledged as " + std::to_string(*w.revision));
    if (u.puts != w.puts) fault(name + ": not whole: puts " + joined(u.puts) + " instead of " + joined(w.puts));
    for (const std::string& key : u.deletes)
        if (!w.deletes.contains(key)) fault(name + ": nobody deleted " + key);
    for (const std::string& key : w.deletes)
        if (before.contains(key) && !u.deletes.contains(key)) fault(name + ": not whole: the delete of " + key + " is missing");
}

void watch_judge::check_age(clock::time_point now) {
    // Coverage in order of time; a replaced store starts its revisions anew, so each write looks for its first cover.
    std::vector<std::pair<std::int64_t, clock::time_point>> first;
    for (const auto& c : covered_)
        if (first.empty() || c.first > first.back().first) first.push_back(c);
    struct late {
        std::int64_t revision;
        milliseconds age;
    };
    std::map<clock::time_point, late> worst;   // by the moment when a live span ended, or at last showed something
    for (const written& w : writes_) {
        if (!w.revision) continue;
        const auto cover = std::lower_bound(first.begin(), first.end(), *w.revision,
            [](const auto& c, std::int64_t revision) { return c.first < revision; });
        const auto shown = cover == first.end() ? now : cover->second;
        if (cover != first.end())
            figures_.worst_delay = std::max(figures_.worst_delay, duration_cast<milliseconds>(shown - w.answered));
        // The last moment of a live span before it was shown.
        auto before = std::lower_bound(live_.begin(), live_.end(), shown,
            [](const auto& s, clock::time_point t) { return s.from < t; });
        if (before == live_.begin()) continue;
        --before;
        const auto seen_live = std::min({before->to, shown, now});
        const auto age = duration_cast<milliseconds>(seen_live - w.answered);
        figures_.worst_age_live = std::max(figures_.worst_age_live, age);
        if (age <= limits_.max_staleness + limits_.allowance) continue;
        const auto [known, fresh] = worst.emplace(seen_live, late{*w.revision, age});
        if (!fresh && known->second.age < age) known->second = {*w.revision, age};
    }
    for (const auto& [at, l] : worst)
        fault("live without revision " + std::to_string(l.revision) + " for " + std::to_string(l.age.count())
            + " ms after it was acknowledged");
}

}  // namespace dynconf::test
