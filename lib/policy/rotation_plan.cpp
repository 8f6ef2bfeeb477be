#include "policy/rotation_plan.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

namespace {

constexpr std::size_t around = 64;   // of an item in its transaction: tags, lengths, numbers

std::size_t bytes_of(const rotation_plan::rewrite& w) { return 3 * w.key.size() + w.value.size() + around; }

}  // namespace

rotation_plan::rotation_plan(key_range range, rotation_bounds bounds, look how)
    : bounds_(bounds), look_(std::move(how)), range_(std::move(range)) {
    begin_pass();
}

void rotation_plan::begin_pass() {
    rest_ = range_;
    report_.as_of = began_at_;
    began_at_ = 0;
    found_some_ = false;
    ++report_.passes;
}

rotation_plan::step rotation_plan::next() {
    // What is known to need it goes first: the less time for others to change it, and the less is held.
    if (!waiting_.empty()) {
        write out;
        std::size_t bytes = 0;
        while (!waiting_.empty() && out.items.size() < bounds_.batch) {
            const waiting& item = waiting_.front();
            bytes += bytes_of(item.what);
            if (!out.items.empty() && (item.alone || bytes > bounds_.batch_bytes)) break;
            const bool alone = item.alone;
            out.items.push_back(item.what);
            under_way_.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
            if (alone) break;
        }
        return out;
    }
    if (!changed_.empty()) {
        const std::size_t n = std::min(changed_.size(), bounds_.batch);
        asked_.assign(std::make_move_iterator(changed_.begin()), std::make_move_iterator(changed_.begin() + static_cast<std::ptrdiff_t>(n)));
        changed_.erase(changed_.begin(), changed_.begin() + static_cast<std::ptrdiff_t>(n));
        return read{asked_};
    }
    if (rest_) {
        range_options options;
        options.limit = bounds_.values_per_page;
        if (report_.passes > 1) {
            options.limit = bounds_.names_per_page;
            options.keys_only = true;
            options.min_mod_revision = report_.as_of + 1;
        }
        return list{*rest_, options};
    }
    if (found_some_ && !bounds_.dry_run && report_.passes < bounds_.passes) {
        begin_pass();
        return next();
    }
    report_.settled = !found_some_;
    report_.as_of = began_at_;
    return finished{};
}

void rotation_plan::listed(const range_response& page) {
    if (began_at_ == 0) {
        began_at_ = page.header.revision;
        if (report_.passes == 1) report_.expected = page.count;
    }
    for (const key_value& kv : page.kvs) {
        if (report_.passes == 1) see(kv);
        else if (own_.count(kv.mod_revision) == 0) changed_.push_back(kv.key);
    }
    if (page.more && !page.kvs.empty()) rest_ = rest_->after(page.kvs.back().key);
    else rest_.reset();
}

void rotation_plan::was_read(const std::vector<std::optional<key_value>>& now) {
    for (std::size_t i = 0; i < asked_.size() && i < now.size(); ++i) {
        if (now[i]) see(*now[i]);
        else resolved(asked_[i]);   // deleted
    }
    asked_.clear();
}

void rotation_plan::count(const stored_look& seen) {
    ++report_.keys;
    switch (seen.what) {
    case stored_look::kind::sealed: ++report_.sealed[seen.name]; break;
    case stored_look::kind::foreign: ++report_.foreign[seen.name]; break;
    case stored_look::kind::plain: ++report_.plaintext; break;
    }
}

void rotation_plan::see(const key_value& kv) {
    stored_look seen = look_(kv.key, kv.value);
    if (report_.passes == 1) count(seen);
    if (seen.why.code) return unresolved(kv.key, seen.why);
    resolved(kv.key);
    if (!seen.rewrite) return;
    found_some_ = true;
    ++report_.to_rewrite;
    if (bounds_.dry_run) return;
    waiting& item = waiting_.emplace_back();
    item.what = {kv.key, kv.mod_revision, std::move(seen.replacement)};
}

void rotation_plan::see_again(waiting item, const key_value& now) {
    // It is told as changed when the answer to a try that was executed got lost, and the try was repeated.
    if (now.value == item.what.value) {
        ++report_.rewritten;
        return;
    }
    stored_look seen = look_(now.key, now.value);
    if (seen.why.code) return unresolved(now.key, seen.why);
    if (!seen.rewrite) {
        ++report_.overtaken;
        return;
    }
    if (++item.tries == bounds_.tries) return unresolved(now.key, {errc::contended, {}});
    item.what = {now.key, now.mod_revision, std::move(seen.replacement)};
    waiting_.push_back(std::move(item));
}

void rotation_plan::wrote(revision_t at, const std::vector<fate>& fates) {
    bool any = false;
    std::vector<waiting> items = std::exchange(under_way_, {});
    for (std::size_t i = 0; i < items.size() && i < fates.size(); ++i) {
        if (fates[i].written) {
            any = true;
            ++report_.rewritten;
        } else if (fates[i].now) {
            see_again(std::move(items[i]), *fates[i].now);
        } else {
            ++report_.vanished;
        }
    }
    if (any) own_.insert(at);
}

void rotation_plan::too_large(const error& why) {
    std::vector<waiting> items = std::exchange(under_way_, {});
    if (items.size() == 1) return unresolved(items.front().what.key, why);
    for (waiting& item : items) {
        item.alone = true;
        waiting_.push_front(std::move(item));
    }
}

void rotation_plan::unresolved(const std::string& key, const error& why) {
    problems_.insert_or_assign(key, why);
    report_.unresolved = static_cast<std::int64_t>(problems_.size());
    const auto& shown = report_.problems;
    if (shown.size() == rotation_report::most_problems && shown.back().key < key) return;
    report_.problems.clear();
    for (const auto& [name, cause] : problems_) {
        if (report_.problems.size() == rotation_report::most_problems) break;
        report_.problems.push_back({name, cause});
    }
}

void rotation_plan::resolved(const std::string& key) {
    if (problems_.erase(key) == 0) return;
    report_.unresolved = static_cast<std::int64_t>(problems_.size());
    std::erase_if(report_.problems, [&key](const rotation_problem& p) { return p.key == key; });
}

}  // namespace dynconf::policy
