/**
 * What other libraries call the options of an issuer, in lower case without separators: for the
 * suggestion in the message about an unknown one.
 */

/** For the members of `issuers`. */
export const ISSUER_SYNONYMS: Readonly<Record<string, string>> = {
  alg: 'algorithms',
  algorithm: 'algorithms',
  aud: 'audience',
  azp: 'clients',
  client: 'clients',
  clientid: 'clients',
  iss: 'issuer',
  issuerbaseurl: 'issuer',
  jwksuri: 'jwks',
  jwksurl: 'jwks',
  keys: 'jwks',
  tokensigningalg: 'algorithms',
}

/** For the members of `introspection`. */
export const INTROSPECTION_SYNONYMS: Readonly<Record<string, string>> = {
  introspectionendpoint: 'endpoint',
  ttl: 'cacheFor',
  url: 'endpoint',
}
