/** The questions, with their values: the one table that arguments, prompts and templates go by. */

/** One question. Its first value is the default. */
interface Question {
  readonly message: string
  readonly values: Readonly<Record<string, string>>
}

export const QUESTIONS = {
  framework: {
    message: 'Which framework?',
    values: {
      hono: 'Hono',
      express: 'Express 5',
      fastify: 'Fastify 5',
      koa: 'Koa 3',
      nest: 'NestJS',
      next: 'Next.js, App Router',
    },
  },
  store: {
    message: 'Where are sessions kept?',
    values: {
      memory: 'in memory: one process, gone when it ends',
      sqlite: 'SQLite: a file, nothing to install',
      postgres: 'PostgreSQL: a server of yours',
      redis: 'Redis: a server of yours',
    },
  },
  delivery: {
    message: 'How do clients get their tokens?',
    values: {
      body: 'in the body, for programs and mobile applications',
      cookie: 'in cookies, for browsers, with CSRF protection',
    },
  },
  proofs: {
    message: 'How do users prove who they are?',
    values: {
      password: 'password, also to step up',
      'password+totp': 'password, and a code of an authenticator to step up',
      'magic-link': 'a link in a mail, also to step up',
    },
  },
} as const satisfies Readonly<Record<string, Question>>

export type Name = keyof typeof QUESTIONS

/** A value for each question. */
export type Choices = { readonly [N in Name]: keyof (typeof QUESTIONS)[N]['values'] & string }

export const NAMES = Object.keys(QUESTIONS) as Name[]

export function valuesOf<N extends Name>(name: N): Choices[N][] {
  return Object.keys(QUESTIONS[name].values) as Choices[N][]
}

export function defaultOf<N extends Name>(name: N): Choices[N] {
  return valuesOf(name)[0] as Choices[N]
}

/** Every combination, in the order of the table. */
export function allChoices(): Choices[] {
  return NAMES.reduce<Partial<Choices>[]>(
    (made, name) => made.flatMap((choices) => valuesOf(name).map((value) => ({ ...choices, [name]: value }))),
    [{}],
  ) as Choices[]
}
