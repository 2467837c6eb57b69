/** The types of the door of Nest: what `@UseGuards()` and providers take, and what comes out of the container. */
import {
  type CanActivate,
  Catch,
  type DynamicModule,
  type ExceptionFilter,
  type Type,
  UseGuards,
} from '@nestjs/common'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import {
  AuthErrorFilter,
  CurrentSubject,
  CurrentToken,
  guards,
  injectedGuards,
  Public,
  TokenwrightModule,
} from '../../src/adapters/nest.ts'
import { createAuth } from '../../src/auth/create-auth.ts'

const auth = createAuth({
  secret: 'x',
  claims: z.object({ tenant: z.string() }),
  subject: ({ sub }) => ({ name: sub }),
})

describe('nest', () => {
  it('guards of an application are objects, whatever its claims', () => {
    const guard = guards(auth, { errors: 'throw' })
    for (const one of [
      guard.access(),
      guard.refresh(),
      guard.fresh(),
      guard.scopes('a', 'b'),
      guard.token({ maxAge: '5m' }),
      guard.subject(),
      guard.optional(),
    ]) {
      expectTypeOf(one).toExtend<CanActivate>()
      UseGuards(one)
    }
    expectTypeOf(guard.access().admit).returns.resolves.toEqualTypeOf<boolean>()
    // @ts-expect-error no such member of a requirement
    guard.token({ fersh: true })
    // @ts-expect-error no such way
    guards(auth, { errors: 'swallow' })
  })

  it('guards of the container are classes', () => {
    const guard = injectedGuards()
    expectTypeOf(guard.fresh()).toExtend<Type<CanActivate>>()
    UseGuards(guard.fresh(), guard.scopes('a'))
  })

  it('decorators go where they belong', () => {
    expectTypeOf(CurrentToken()).toEqualTypeOf<ParameterDecorator>()
    expectTypeOf(CurrentSubject()).toEqualTypeOf<ParameterDecorator>()
    class Controller {
      @Public()
      handle(@CurrentToken() token: string): string {
        return token
      }
    }
    expectTypeOf(Public()).toBeCallableWith(Controller)
  })

  it('the module takes an application, or a factory of one with what is injected', () => {
    expectTypeOf(TokenwrightModule.forRoot(auth)).toEqualTypeOf<DynamicModule>()
    TokenwrightModule.forRootAsync({ inject: ['a', 'b'], useFactory: (_a: string, _b: number) => auth })
    TokenwrightModule.forRootAsync({ useFactory: async () => auth })
    // @ts-expect-error that is no application
    TokenwrightModule.forRootAsync({ useFactory: () => ({ secret: 'x' }) })
  })

  it('the filter is one of Nest, made of any application', () => {
    expectTypeOf(new AuthErrorFilter(auth)).toExtend<ExceptionFilter>()
    Catch()
  })
})
