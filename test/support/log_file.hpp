#pragma once

#include <dynconf/log.hpp>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>

namespace dynconf::test {

/// Everything that is logged goes to the end of the file that DYNCONF_TEST_LOG names; without it nowhere. For the search of
/// scripts/canary.
inline log_sink log_file() {
    const char* const path = std::getenv("DYNCONF_TEST_LOG");
    if (!path) return nullptr;
    struct shared {
        std::mutex mutex;
        std::ofstream out;
    };
    const auto to = std::make_shared<shared>();
    to->out.open(path, std::ios::app);
    return [to](const log_record& r) {
        const std::lock_guard lock(to->mutex);
        to->out << r.event << ": " << r.text;
        for (const log_field& f : r.fields) to->out << " [" << f.name << '=' << f.value << ']';
        to->out << std::endl;
    };
}

}  // namespace dynconf::test
