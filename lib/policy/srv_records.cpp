#include "policy/srv_records.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace dynconf::policy {

namespace {

std::string service(const char* name, const std::string& suffix, const std::string& domain) {
    return std::string("_") + name + (suffix.empty() ? "" : "-" + suffix) + "._tcp." + domain;
}

}  // namespace

srv_names::srv_names(std::string in, const std::string& suffix) : domain(std::move(in)) {
    if (!domain.empty() && domain.back() == '.') domain.pop_back();
    secure = service("etcd-client-ssl", suffix, domain);
    plain = service("etcd-client", suffix, domain);
}

result<srv_found> find_srv(const srv_names& of, const srv_terms& terms,
                           const std::function<srv_answer(const std::string&)>& look_up) {
    std::string causes;
    for (const bool secure : {true, false}) {
        if (!secure && terms.https_only) break;
        const std::string& name = secure ? of.secure : of.plain;
        srv_answer answer = look_up(name);
        causes += (causes.empty() ? "" : "; ") + name + ": ";
        if (!answer) {
            causes += answer.error().detail;
            break;
        }
        srv_found found;
        found.secure = secure;
        // The root as a target says that the service is decidedly not available.
        std::remove_copy_if(answer->begin(), answer->end(), std::back_inserter(found.records),
                            [](const srv_record& r) { return r.target.empty(); });
        if (found.records.empty()) {
            causes += "no such record";
            continue;
        }
        if (!secure && !terms.protects.empty() && !terms.allow_plain) {
            causes += "plain http only, which is not used where " + terms.protects + " is set; discovery.allow_plain takes it";
            break;
        }
        if (secure && terms.in_domain) {
            const auto foreign = std::stable_partition(found.records.begin(), found.records.end(),
                                                       [&](const srv_record& r) { return is_in_domain(r.target, of.domain); });
            found.foreign.assign(foreign, found.records.end());
            found.records.erase(foreign, found.records.end());
        }
        if (!found.records.empty()) return found;
        causes += "'" + found.foreign.front().target + "' " + std::string(outside_of_domain);
        break;
    }
    return error{errc::discovery_failed, "SRV records of '" + of.domain + "': " + causes};
}

std::vector<srv_record> in_order(std::vector<srv_record> all, const random_source& random) {
    // By weight as well: those without any have to come first where a place is drawn, so that they have a chance, too.
    std::sort(all.begin(), all.end());
    for (auto place = all.begin(); place != all.end(); ++place) {
        const auto end = std::find_if(place, all.end(), [&](const srv_record& r) { return r.priority != place->priority; });
        std::uint64_t sum = 0;
        for (auto r = place; r != end; ++r) sum += r->weight;
        const auto drawn = static_cast<std::uint64_t>(random() * static_cast<double>(sum + 1));
        auto chosen = place;
        for (std::uint64_t running = chosen->weight; running < drawn && std::next(chosen) != end; running += chosen->weight)
            ++chosen;
        // With equal chances, or all clients would go to the same one of many that have no weight.
        const auto weightless = std::find_if(place, end, [](const srv_record& r) { return r.weight != 0; }) - place;
        if (chosen->weight == 0) chosen = place + static_cast<std::ptrdiff_t>(random() * static_cast<double>(weightless));
        std::rotate(place, chosen, std::next(chosen));
    }
    return all;
}

}  // namespace dynconf::policy
