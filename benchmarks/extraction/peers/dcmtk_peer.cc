// Values of the wanted attributes of many files, by DCMTK's library. Arguments are tags as eight hexadecimal digits,
// paths come on standard input. Prints each value followed by 0x1f and each file's values followed by 0x1e.

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dctk.h"
#include "dcmtk/oflog/oflog.h"

#include <iostream>
#include <string>
#include <vector>

int main(int count, char** arguments)
{
    OFLog::configure(OFLogger::FATAL_LOG_LEVEL);
    std::vector<DcmTagKey> wanted;
    DcmTagKey last(0, 0);
    for (int i = 1; i < count; ++i)
    {
        const unsigned long tag = std::stoul(arguments[i], nullptr, 16);
        wanted.emplace_back(static_cast<Uint16>(tag >> 16), static_cast<Uint16>(tag & 0xffff));
        if (last < wanted.back())
            last = wanted.back();
    }
    const DcmTagKey stop(last.getGroup(), static_cast<Uint16>(last.getElement() + 1));
    std::ios::sync_with_stdio(false);
    std::string path, out;
    OFString value;
    while (std::getline(std::cin, path))
    {
        DcmFileFormat file;
        if (file.loadFileUntilTag(path.c_str(), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_autoDetect, stop).good())
        {
            file.getDataset()->convertToUTF8();
            for (const DcmTagKey& tag : wanted)
            {
                DcmItem* part = file.getDataset();
                if (tag.getGroup() == 2)
                    part = file.getMetaInfo();
                value.clear();
                part->findAndGetOFStringArray(tag, value);
                out.append(value.c_str(), value.length()).push_back('\x1f');
            }
        }
        out.push_back('\x1e');
        if (out.size() > 1000000)
        {
            std::cout << out;
            out.clear();
        }
    }
    std::cout << out;
    return 0;
}
