#include "CDocuments.h"

// Part of C23, and known to every compiler that builds this package.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char contract[] = {
#embed "../../openapi.yaml"
};

static const unsigned char reference[] = {
#embed "reference.html"
};

static const unsigned char reference_style[] = {
#embed "reference.css"
};

embedded_file embedded_contract(void) {
    return (embedded_file){contract, sizeof contract};
}

embedded_file embedded_reference(void) {
    return (embedded_file){reference, sizeof reference};
}

embedded_file embedded_reference_style(void) {
    return (embedded_file){reference_style, sizeof reference_style};
}
